// Package wire turns client bytes into requests and commands, and messages
// into frames. It is pure: no I/O, no goroutines, no clock. The transports are
// its subpackages (ws, sse, stream, poll), which share one frame model and
// prove it with the suite in wiretest; proxy reads the header that a load
// balancer puts before the first request.
package wire

import (
	"strconv"

	"pushfleet/internal/push"
)

// Frame is one data frame offered to one connection:
//
//	{"seq":N,["pos":"EPOCH-N",]TAIL
//
// Tail is encoded once per message and shared by all connections. It ends with
// the closing brace and holds no raw CR or LF.
type Frame struct {
	Seq   uint32 // number of the frame on its connection, from 1
	Pos   uint32 // number of the message for its user, from 1; 0: no pos field
	Epoch string // of the node's start; used only when Pos is not 0
	Tail  []byte
}

// Codec is one transport's encoding. All methods append to dst and return the
// longer slice. Head and Ping allocate nothing when dst has room.
type Codec interface {
	// Hello is the response head (101 or 200). Control frames are not in it.
	Hello(dst []byte, r *Request) []byte
	// Head is everything before f.Tail of one data frame; foot is everything
	// after it, at most 4 bytes.
	Head(dst []byte, f *Frame) (head []byte, foot string)
	// Control is one whole control frame of type typ. json is one object
	// without raw CR or LF, as the builders of this package make them; pos is
	// the position in it, empty for none.
	Control(dst []byte, typ, pos string, json []byte) []byte
	// Ping asks the client, or the path to it, for a sign of life.
	Ping(dst []byte) []byte
	// Close is the polite end: a Close frame on ws, otherwise a close event and
	// the last chunk of the response. Nothing may be written after it.
	Close(dst []byte, r push.CloseReason) []byte
}

// HeadMax bounds, in bytes, what Head puts before a tail on any transport, for
// an epoch of at most EpochMax bytes.
const HeadMax = 128

const (
	seqKey = `{"seq":`
	posKey = `"pos":"`
)

// AppendDataHead appends the part of a data frame's JSON that precedes f.Tail.
func AppendDataHead(dst []byte, f *Frame) []byte {
	dst = append(dst, seqKey...)
	dst = strconv.AppendUint(dst, uint64(f.Seq), 10)
	dst = append(dst, ',')
	if f.Pos == 0 {
		return dst
	}
	dst = append(dst, posKey...)
	dst = AppendPos(dst, f.Epoch, f.Pos)
	return append(dst, '"', ',')
}

// DataHeadLen is the number of bytes that AppendDataHead appends.
func DataHeadLen(f *Frame) int {
	n := len(seqKey) + digits(f.Seq) + len(",")
	if f.Pos != 0 {
		n += len(posKey) + PosLen(f.Epoch, f.Pos) + len(`",`)
	}
	return n
}

func digits(n uint32) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}
