// Package drive replays mirrored traffic on a shadow: one real connection for
// each that is mirrored, what its client sent, at its pace, and the messages
// that production was given. Each record is accounted for.
package drive

import (
	"log/slog"
	"net/netip"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// Options say what to drive. Shadow is required.
type Options struct {
	Shadow     *pushdapi.Client
	Production *pushdapi.Client // whose traffic it is: refused if it is the shadow; nil: of files
	Clients    netip.AddrPort   // the shadow's client listener, IPv4; zero: the first that it tells
	Amplify    int              // connections for each mirrored one; 0 is 1. Further ones have users u~2, u~3, …
	Delay      time.Duration    // records are replayed so long after they happened, to put sources in order; 0 is 200 ms
	Speed      float64          // of the clock, for files; 0 is 1
	LateMax    time.Duration    // a record later than that is dropped (late); 0 is 2 s
	ConnsMax   int              // connections held at most; 0 is 100,000, or fewer if this machine cannot hold so many
	Window     int              // bytes that the kernel takes for a client that does not read; 0 is 16 KiB, see pace.go

	// Token makes a JWT with the first user as its subject, the others as its
	// logins, and the groups; nil: the shadow asks for none.
	Token func(users, groups []string) string

	Log *slog.Logger // nil: none
}

// Why a record was not replayed. Words of Counts.Dropped.
const (
	DropTorn    = "torn"           // of what has a hole
	DropUnknown = "unknown_conn"   // of a connection that is not mirrored
	DropRefused = "shadow_refused" // the shadow did not take the connection, or the message
	DropLost    = "shadow_lost"    // the shadow had ended the connection, or the stream of messages
	DropLate    = "late"           // this machine could not keep up
	DropFull    = "full"           // a bound of the driver's was reached
	DropEnded   = "ended"          // the driver was ended before the shadow had answered
)

// Counts are the driver's books. For each kind Read = Replayed + the sum of
// Dropped + Pending. What is pending when Run has ended was not due yet.
type Counts struct {
	Read     map[string]uint64            `json:"read"`
	Replayed map[string]uint64            `json:"replayed"`
	Dropped  map[string]map[string]uint64 `json:"dropped"` // by kind, then reason
	Pending  map[string]uint64            `json:"pending"` // waits for its time, or for the shadow's answer

	Open      int64  `json:"open"`   // mirrored connections that the shadow holds, without amplified ones
	Joined    uint64 `json:"joined"` // of those that were open before the tee
	Torn      uint64 `json:"torn"`   // connections that left with a hole, here or at the tap
	Failed    uint64 `json:"failed"` // sockets that the shadow did not take, amplified ones included
	Lost      uint64 `json:"lost"`   // sockets that the shadow has ended by itself
	Held      int64  `json:"held"`   // not read just now, as in production
	Sockets   int64  `json:"sockets"`
	Published uint64 `json:"published"` // messages, amplified ones included

	// Why connections have ended: mirrored ones in production, by its reason,
	// and sockets here, by the close code and reason of the shadow ("4100
	// slow") or "hung up" by the driver.
	EndedThere map[string]uint64 `json:"ended_there,omitempty"`
	EndedHere  map[string]int64  `json:"ended_here,omitempty"`
	FailedBy   map[string]int64  `json:"failed_by,omitempty"`

	Frames  uint64  `json:"frames"` // that the shadow delivered
	Bytes   uint64  `json:"bytes"`
	Gaps    uint64  `json:"gaps"`             // messages that the shadow announced as dropped
	LateP50 float64 `json:"late_p50_seconds"` // of the replay against its own clock
	LateP99 float64 `json:"late_p99_seconds"`

	// Excluded are times without a comparison: torn as a whole, or messages
	// left out by the driver.
	Excluded []Span `json:"excluded,omitempty"`

	Tap teewire.Count `json:"-"` // the tap's books, as last heard
	End teewire.End   `json:"-"`
}

// Span is an interval of wall-clock time, of the replay.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"`
}
