// Package teewire is the form of mirrored traffic: what a tap in a node sends
// and what is kept in files. FORMAT.md describes every byte. Room of
// ARCHITECTURE.md: imports internal/push.
package teewire

import (
	"time"

	"pushfleet/internal/push"
)

// Version of the format. A reader refuses newer ones.
const Version = 1

// Kind is what a record tells.
type Kind uint8

// The kinds of records.
const (
	KindHead    Kind = 1 + iota // whose stream this is; first, once
	KindOpen                    // a connection has begun, or was open when the tee began
	KindIn                      // a command of its client
	KindOut                     // what its socket took, and whether it takes more
	KindPublish                 // a message that the node was given
	KindClose                   // a connection has ended
	KindTorn                    // something is missing: what it names is no part of the sample any more
	KindCount                   // the tap's books so far
	KindEnd                     // last: why there is no more
	KindLimit
)

var kindNames = [KindLimit]string{"", "head", "open", "in", "out", "publish", "close", "torn", "count", "end"}

func (k Kind) String() string {
	if k < KindLimit {
		return kindNames[k]
	}
	return "unknown"
}

// Drop is why a tap left something out. The same words are in its log, its
// metrics and its API.
type Drop uint8

// The reasons.
const (
	DropNone   Drop = iota
	DropBuffer      // tap.buffer_bytes_max was full: the reader is too slow
	DropCPU         // tap.cpu_percent_max
	DropRate        // tap.bytes_rate_max
	DropTorn        // of a connection of which something was left out before
	DropSize        // larger than RecordMax
	DropSample      // nothing is missing: the sample was made smaller, and a connection left it
	DropFile        // of a recording: a file is damaged or missing
	DropLimit
)

var dropNames = [DropLimit]string{"", "buffer", "cpu", "rate", "torn", "size", "sample", "file"}

func (d Drop) String() string {
	if d < DropLimit {
		return dropNames[d]
	}
	return "unknown"
}

// Drops lists the reasons why records are left out.
func Drops() []Drop { return []Drop{DropBuffer, DropCPU, DropRate, DropTorn, DropSize} }

// Redact is what a tap replaces before a record is buffered. Sizes are kept.
type Redact uint8

// The degrees of redaction. Tokens are left out always.
const (
	RedactPayload Redact = iota // data of messages and of uplink commands
	RedactNames                 // and users, groups, ids and keys, by a keyed hash that lasts as long as the tee
	RedactOff                   // nothing
	redactLimit
)

var redactNames = [redactLimit]string{"payload", "names", "off"}

func (r Redact) String() string {
	if r < redactLimit {
		return redactNames[r]
	}
	return "unknown"
}

// ParseRedact reads a degree's name; ok is false if there is none such.
func ParseRedact(s string) (r Redact, ok bool) {
	for i, n := range redactNames {
		if n == s {
			return Redact(i), true
		}
	}
	return 0, false
}

// Head says whose traffic follows.
type Head struct {
	Version int
	Node    string // its name
	Build   string // its version, with the commit if it is known
	Wall    time.Time
	Mono    int64   // ns of the node's clock at Wall: what At of all records counts on
	Sample  float64 // percent of users
	Redact  Redact
}

// Open is a connection. The strings of a decoded record are its own.
type Open struct {
	At      int64 // ns
	Conn    uint64
	Proto   push.Proto
	Users   []string // at least one; the sample is chosen by the first
	Groups  []string
	Poll    time.Duration // wait asked for in a long poll
	Resume  bool          // it asks for positions
	Joined  bool          // it was open before the tee began; Groups and what follows are of now
	Blocked bool          // its socket takes no more
	Age     time.Duration
	RTT     time.Duration // 0: not known
	Queued  uint32        // messages
}

// In is one whole client command, as JSON.
type In struct {
	At   int64
	Conn uint64
	Data []byte // valid until the next record is read
}

// Out is one flush of a connection: what its socket took since the Out before.
type Out struct {
	At      int64
	Conn    uint64
	Frames  uint32 // whole messages
	Bytes   uint32 // on the wire, control frames and heads of frames included
	Queued  uint32 // messages that still wait
	Blocked bool   // the socket took less than there was; it is told when it takes more by the next Out
}

// Publish is a message to a user, a group or, with neither, to everybody. A
// send to several users is one record for each of them that is in the sample.
type Publish struct {
	At      int64
	User    string
	Group   string
	ID, Key string
	Class   push.Class
	TTL     time.Duration
	Data    []byte // JSON, valid until the next record is read
}

// Close is the end of a connection.
type Close struct {
	At     int64
	Conn   uint64
	Reason push.CloseReason
}

// Torn says what has a hole: a connection, all of a user, or with neither all
// that is mirrored, up to At.
type Torn struct {
	At   int64
	Conn uint64
	User string
	Why  Drop
}

// AllConns tells that every connection that was open at some time up to At has
// a hole. When a tap has no room for what is for everybody, messages are
// missing, and nothing of connections is; of a file anything may be.
func (t *Torn) AllConns() bool { return t.Conn == 0 && t.User == "" && t.Why == DropFile }

// Count is the books of a tap since the tee began. For each kind
// Seen = Sent + the sum of Dropped. What is in an unsent buffer counts as sent.
type Count struct {
	At      int64
	Seen    [KindLimit]uint64
	Sent    [KindLimit]uint64
	Dropped [KindLimit][DropLimit]uint64
	Sample  float64 // percent that is mirrored now: a budget may have made it smaller
	Torn    uint64  // connections
	Bytes   uint64  // of batches
}

// End says why a stream ends: a word such as "stopped", "sample", "stalled",
// "drain", and a sentence.
type End struct {
	At     int64
	Reason string
	Detail string
}

// Bounds of the format, in bytes and numbers. A reader refuses what is beyond.
const (
	RecordMax = 1 << 20 // of one record's body
	BatchMax  = 8 << 20 // of the records of one batch
	NamesMax  = 1 << 12 // users or groups in one Open
)
