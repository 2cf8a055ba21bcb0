package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// Event is what a call of Next has found.
type Event uint8

// The events.
const (
	More  Event = iota // nothing yet: call again with more input after what is left
	Data               // a piece of a message, not the last; may be empty
	End                // the last piece, message complete; may be empty
	Ping               // payload to be sent back
	Pong               // payload as sent with a Ping
	Close              // payload as CloseCode reads it; everything after is ignored
)

var eventNames = [...]string{"more", "data", "end", "ping", "pong", "close"}

func (e Event) String() string { return eventNames[e] }

// Bounds of what a caller keeps of a connection's unconsumed input: a header
// that is not whole yet, or a whole control frame.
const (
	HeaderMax  = 14
	ControlMax = 6 + controlMax
)

const (
	flagFrame  = 1 << iota // inside a data frame's payload
	flagFin                // that frame is the last of its message
	flagOpen               // a message has begun and not ended
	flagBinary             // the message, or the last one if none is open
	flagDone               // a Close or an error was seen
)

// Decoder reads one client's frames from whatever pieces the socket gives. It
// has no pointers and 16 bytes, so that it can live in a connection's record;
// the zero value is ready.
type Decoder struct {
	left  uint32 // bytes of the frame's payload not seen yet
	total uint32 // bytes that the message's headers have claimed so far
	key   uint32 // masking key, turned to the next byte
	flags uint8
	text  utf8State
}

// Binary says whether the message of the last Data or End event is binary; it
// holds until the next message begins.
func (d *Decoder) Binary() bool { return d.flags&flagBinary != 0 }

// Busy says whether a message has begun and not ended.
func (d *Decoder) Busy() bool { return d.flags&flagOpen != 0 }

// Next decodes the next event at the start of in and consumes n bytes. The
// caller repeats it with in[n:] until More, then keeps what is left (at most
// ControlMax-1 bytes) in front of the next input. payload lies within in,
// where it was unmasked in place. limit bounds a message in bytes and is
// checked as soon as a header claims more. Text that is not UTF-8 is an error
// as soon as the offending byte is seen. After Close or an error the rest is
// consumed and ignored.
func (d *Decoder) Next(in []byte, limit uint32) (ev Event, payload []byte, n int, err *Error) {
	if d.flags&flagDone != 0 {
		return More, nil, len(in), nil
	}
	if d.flags&flagFrame == 0 {
		h, err := parseHeader(in, d.flags&flagOpen != 0, d.room(limit))
		if err != nil {
			return d.fail(err)
		}
		if h.n == 0 {
			return More, nil, 0, nil
		}
		if h.control() {
			return d.control(in, h)
		}
		d.begin(h)
		n = h.n
	}
	return d.data(in, n)
}

// room is how many bytes the open message may still claim.
func (d *Decoder) room(limit uint32) uint64 {
	if d.flags&flagOpen == 0 {
		return uint64(limit)
	}
	return uint64(limit) - uint64(min(d.total, limit))
}

// begin enters a data frame.
func (d *Decoder) begin(h header) {
	if d.flags&flagOpen == 0 {
		d.total, d.text, d.flags = 0, utf8Start, flagOpen
		if h.op == opBinary {
			d.flags |= flagBinary
		}
	}
	d.flags |= flagFrame
	if h.fin {
		d.flags |= flagFin
	}
	d.left, d.key = uint32(h.size), h.key
	d.total += uint32(h.size)
}

// data takes what in[at:] holds of the current frame's payload.
func (d *Decoder) data(in []byte, at int) (Event, []byte, int, *Error) {
	if len(in) == at && d.left > 0 {
		return More, nil, at, nil
	}
	take := min(uint64(len(in)-at), uint64(d.left))
	n := at + int(take)
	payload := in[at:n:n]
	d.key = unmask(payload, d.key)
	d.left -= uint32(take)
	if !d.Binary() {
		var ok bool
		if d.text, ok = d.text.take(payload); !ok {
			return d.fail(errUTF8)
		}
	}
	if d.left > 0 {
		return Data, payload, n, nil
	}
	last := d.flags&flagFin != 0
	d.flags &^= flagFrame | flagFin
	if !last {
		return Data, payload, n, nil
	}
	if !d.Binary() && d.text != utf8Start {
		return d.fail(errUTF8)
	}
	d.flags &^= flagOpen
	return End, payload, n, nil
}

// control takes a control frame once it is whole.
func (d *Decoder) control(in []byte, h header) (Event, []byte, int, *Error) {
	n := h.n + int(h.size)
	if len(in) < n {
		return More, nil, 0, nil
	}
	payload := in[h.n:n:n]
	unmask(payload, h.key)
	switch h.op {
	case opPing:
		return Ping, payload, n, nil
	case opPong:
		return Pong, payload, n, nil
	}
	if err := checkClose(payload); err != nil {
		return d.fail(err)
	}
	d.flags |= flagDone
	return Close, payload, n, nil
}

func (d *Decoder) fail(err *Error) (Event, []byte, int, *Error) {
	d.flags |= flagDone
	return More, nil, 0, err
}

// checkClose validates a close payload (RFC 6455 section 5.5.1 and 7.4).
func checkClose(payload []byte) *Error {
	switch {
	case len(payload) == 0:
		return nil
	case len(payload) == 1:
		return errCloseLen
	case !validCode(CloseCode(payload)):
		return errCloseCode
	case !utf8.Valid(payload[2:]):
		return errCloseUTF8
	}
	return nil
}

// validCode says whether a code may stand in a Close frame: those of section
// 7.4.1 that are not reserved, 1012-1014 from the IANA registry, and the
// ranges for libraries and applications.
func validCode(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// CloseCode reads the code of a Close event's payload; 0 if it has none.
func CloseCode(payload []byte) uint16 {
	if len(payload) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(payload)
}
