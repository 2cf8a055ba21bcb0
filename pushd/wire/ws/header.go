package ws

import (
	"encoding/binary"

	"pushfleet/internal/push"
)

// header is one frame header from a client.
type header struct {
	op   byte
	fin  bool
	size uint64 // of the payload
	key  uint32
	n    int // bytes of the header itself; 0 while it is not whole
}

func (h header) control() bool { return h.op >= opClose }

// Error ends a connection: no frame is decoded after it.
type Error struct {
	Reason push.CloseReason // Protocol, UTF8 or Oversize
	Text   string           // for the log
}

func (e *Error) Error() string { return e.Text }

func protocol(text string) *Error { return &Error{push.CloseProtocol, text} }

// The violations. They are values, so that an attacker's frames make no garbage.
var (
	errRSV        = protocol("a reserved bit is set but no extension was negotiated")
	errOpcode     = protocol("reserved opcode")
	errUnmasked   = protocol("frame from the client is not masked")
	errControlFin = protocol("control frame is fragmented")
	errControlLen = protocol("control frame is longer than 125 bytes")
	errNested     = protocol("new message before the end of a fragmented one")
	errNothing    = protocol("continuation without a message to continue")
	errMinimal    = protocol("payload length is not in its shortest form")
	errSign       = protocol("payload length has its highest bit set")
	errCloseLen   = protocol("close payload of one byte")
	errCloseCode  = protocol("close code that must not be sent")

	errUTF8      = &Error{push.CloseUTF8, "text message is not UTF-8"}
	errCloseUTF8 = &Error{push.CloseUTF8, "close reason is not UTF-8"}
	errOversize  = &Error{push.CloseOversize, "message is larger than the limit"}
)

// parseHeader reads the header at the start of in. What can be judged from the
// first byte is, before the second arrives; the length before the key.
// within says that a fragmented message is open, room how many bytes it may
// still grow by.
func parseHeader(in []byte, within bool, room uint64) (h header, err *Error) {
	if len(in) == 0 {
		return h, nil
	}
	h.op, h.fin = in[0]&0x0f, in[0]&fin != 0
	if err := checkFirst(in[0], h, within); err != nil || len(in) == 1 {
		return h, err
	}
	if in[1]&0x80 == 0 {
		return h, errUnmasked
	}
	n, err := h.length(in)
	if err != nil || n == 0 {
		return h, err
	}
	if !h.control() && h.size > room {
		return h, errOversize
	}
	if len(in) >= n+4 {
		h.key = binary.LittleEndian.Uint32(in[n:])
		h.n = n + 4
	}
	return h, nil
}

func checkFirst(b byte, h header, within bool) *Error {
	switch {
	case b&0x70 != 0:
		return errRSV
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return errOpcode
	case h.control():
		if !h.fin {
			return errControlFin
		}
	case h.op == opContinuation && !within:
		return errNothing
	case h.op != opContinuation && within:
		return errNested
	}
	return nil
}

// length reads the payload length and returns where the key begins, 0 while
// the length is not whole.
func (h *header) length(in []byte) (n int, err *Error) {
	short := in[1] & 0x7f
	if h.control() && short > controlMax {
		return 0, errControlLen
	}
	switch {
	case short < 126:
		h.size = uint64(short)
		return 2, nil
	case short == 126:
		if len(in) < 4 {
			return 0, nil
		}
		h.size = uint64(binary.BigEndian.Uint16(in[2:]))
		if h.size < 126 {
			return 0, errMinimal
		}
		return 4, nil
	}
	if len(in) < 10 {
		return 0, nil
	}
	h.size = binary.BigEndian.Uint64(in[2:])
	switch {
	case h.size>>63 != 0:
		return 0, errSign
	case h.size <= 0xffff:
		return 0, errMinimal
	}
	return 10, nil
}
