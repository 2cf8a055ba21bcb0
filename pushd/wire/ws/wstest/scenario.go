// Package wstest holds the conformance scenarios for a WebSocket server as
// data, in the groups of the public protocol test suite: 1 framing, 2 pings, 3
// reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing, 10 automatic
// fragmentation. They run against an echo over the codec and against a live
// gateway; what an accepted message is answered with is the caller's to say.
// Only tests import it.
package wstest

import "encoding/binary"

// Opcodes of RFC 6455 section 5.2.
const (
	Continuation byte = 0x0
	Text         byte = 0x1
	Binary       byte = 0x2
	CloseOp      byte = 0x8
	PingOp       byte = 0x9
	PongOp       byte = 0xA
)

// Scenario is one conversation. The client sends everything, then the server
// must have answered exactly Want, in order. If Want ends in a Close, the
// server closes the connection after it; else it is still open.
type Scenario struct {
	Group string // of the public suite, for example "6"
	Name  string
	Send  [][]byte // a frame or a part of one each, already masked
	Want  []Want
}

// Want is one answer of the server.
type Want struct {
	Kind    Kind
	Op      byte     // of a message: Text or Binary
	Payload []byte   // of a message or pong
	Codes   []uint16 // of a close: any of them; 0 stands for no code
}

// Kind is what the server must have understood.
type Kind uint8

// The kinds.
const (
	Message Kind = iota // it accepted a message
	Pong                // it answers a ping with the same payload
	Close               // it closes
)

// Largest is the size in bytes of the largest message that the server must
// accept, so that a caller can skip what is above its server's limit.
func (s Scenario) Largest() int {
	n := 0
	for _, w := range s.Want {
		if w.Kind == Message {
			n = max(n, len(w.Payload))
		}
	}
	return n
}

// Closes says whether the server must close the connection.
func (s Scenario) Closes() bool {
	return len(s.Want) > 0 && s.Want[len(s.Want)-1].Kind == Close
}

// The codes a server may close with: for a violation, for text that is not
// UTF-8.
var (
	violation = Want{Kind: Close, Codes: []uint16{1002}}
	notUTF8   = Want{Kind: Close, Codes: []uint16{1007}}
)

// goodbye is the answer to a client's Close: its own code, or 1000.
func goodbye(code uint16) Want { return Want{Kind: Close, Codes: []uint16{code, 1000}} }

func text(payload string) Want   { return Want{Kind: Message, Op: Text, Payload: []byte(payload)} }
func binMsg(payload string) Want { return Want{Kind: Message, Op: Binary, Payload: []byte(payload)} }
func pong(payload string) Want   { return Want{Kind: Pong, Payload: []byte(payload)} }

// Frame is one whole client frame, masked. rsv is the three reserved bits.
func Frame(fin bool, rsv, op byte, payload string) []byte {
	b := []byte{rsv<<4 | op, 0x80}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n <= 125:
		b[1] |= byte(n)
	case n <= 0xffff:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d + byte(len(payload))}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// whole is a final frame, part one that is to be continued.
func whole(op byte, payload string) []byte { return Frame(true, 0, op, payload) }
func part(op byte, payload string) []byte  { return Frame(false, 0, op, payload) }

// truncated is a frame of which the last cut bytes have not arrived.
func truncated(frame []byte, cut int) []byte { return frame[:len(frame)-cut] }

// closing is a Close frame with a code and a reason.
func closing(code uint16, reason string) []byte {
	return whole(CloseOp, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}
