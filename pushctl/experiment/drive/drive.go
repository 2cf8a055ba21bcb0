// Package drive replays mirrored traffic on a shadow: one real connection for
// each that is mirrored, what its client sent, at its pace, and the messages
// that production was given. Each record is accounted for.
package drive

import (
	"net/netip"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// Options say what to drive. Shadow and Clients are required.
type Options struct {
	Shadow   *pushdapi.Client
	Clients  netip.AddrPort           // its client listener, IPv4
	Amplify  int                      // connections for each mirrored one; 0 is 1. Further ones have users u~2, u~3, …
	Delay    time.Duration            // records are replayed so long after they happened, to put sources in order; 0 is 200 ms
	Speed    float64                  // of the clock, for files; 0 is 1
	LateMax  time.Duration            // a record later than that is dropped (late); 0 is 2 s
	ConnsMax int                      // connections held at most; 0 is 100,000
	Token    func(user string) string // JWT for a user; nil: none
}

// Why a record was not replayed. Words of Counts.Dropped.
const (
	DropTorn    = "torn"           // of what has a hole
	DropUnknown = "unknown_conn"   // of a connection that is not mirrored
	DropRefused = "shadow_refused" // the shadow did not take the connection, or the message
	DropLost    = "shadow_lost"    // the shadow had ended the connection
	DropLate    = "late"           // this machine could not keep up
	DropFull    = "full"           // a bound of the driver's was reached
)

// Counts are the driver's books. For each kind Read = Replayed + the sum of
// Dropped + Pending.
type Counts struct {
	Read     map[string]uint64            `json:"read"`
	Replayed map[string]uint64            `json:"replayed"`
	Dropped  map[string]map[string]uint64 `json:"dropped"` // by kind, then reason
	Pending  uint64                       `json:"pending"`

	Open      int64  `json:"open"`   // mirrored connections that the shadow holds, without amplified ones
	Joined    uint64 `json:"joined"` // of those that were open before the tee
	Torn      uint64 `json:"torn"`
	Failed    uint64 `json:"failed"` // the shadow did not take them
	Held      int64  `json:"held"`   // not read just now, as in production
	Sockets   int64  `json:"sockets"`
	Published uint64 `json:"published"` // messages, amplified ones included

	Frames   uint64  `json:"frames"` // that the shadow delivered
	Bytes    uint64  `json:"bytes"`
	LateP50  float64 `json:"late_p50_seconds"` // of the replay against its own clock
	LateP99  float64 `json:"late_p99_seconds"`
	Excluded []Span  `json:"excluded,omitempty"` // torn as a whole

	Tap teewire.Count `json:"-"` // the tap's books, as last heard
	End teewire.End   `json:"-"`
}

// Span is an interval of wall-clock time.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"`
}
