package swarm

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"pushfleet/internal/push"
)

// partMax is how much of a message that came in pieces is kept for its head
// when no hook asks for whole messages.
const partMax = 1 << 10

// feed parses bytes of one connection. It may close the connection.
func (w *worker) feed(slot uint32, c *record, in []byte) {
	gen := c.gen
	for len(in) > 0 && c.gen == gen {
		switch c.parse {
		case parseHead:
			var ok bool
			if in, ok = w.feedHead(slot, c, in); !ok {
				return
			}
		case parseFrame:
			in = w.feedFrame(slot, c, in)
		case parsePayload:
			in = w.feedPayload(slot, c, in)
		default:
			in = w.feedChunk(slot, c, in)
		}
	}
}

// frameHeader reads a server frame's header; size is 0 while b is too short
// and negative when it is not one that a server may send here: masked,
// fragmented or with reserved bits.
func frameHeader(b []byte) (op byte, n uint64, size int) {
	if len(b) < 2 {
		return 0, 0, 0
	}
	op = b[0] & 0x0f
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 || op == opContinuation {
		return 0, 0, -1
	}
	switch n = uint64(b[1]); n {
	case 126:
		if len(b) < 4 {
			return 0, 0, 0
		}
		return op, uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, 0, 0
		}
		return op, binary.BigEndian.Uint64(b[2:]), 10
	}
	return op, n, 2
}

func (w *worker) feedFrame(slot uint32, c *record, in []byte) []byte {
	var op byte
	var n uint64
	var size int
	if c.hlen == 0 {
		if op, n, size = frameHeader(in); size > 0 {
			in = in[size:]
		}
	}
	for size == 0 && len(in) > 0 { // the header comes in pieces
		c.hdr[c.hlen] = in[0]
		c.hlen++
		in = in[1:]
		op, n, size = frameHeader(c.hdr[:c.hlen])
	}
	if size == 0 {
		return nil
	}
	c.hlen = 0
	if size < 0 {
		w.malformed(slot, c, "bad frame")
		return nil
	}
	if uint64(len(in)) >= n {
		w.wsMessage(slot, c, op, in[:n])
		return in[n:]
	}
	c.op, c.remain, c.parse = op, n, parsePayload
	return in
}

func (w *worker) feedPayload(slot uint32, c *record, in []byte) []byte {
	k := min(c.remain, uint64(len(in)))
	w.keep(c, in[:k])
	c.remain -= k
	if c.remain > 0 {
		return nil
	}
	c.parse = parseFrame
	// The buffer stays borrowed until the message is done with.
	w.wsMessage(slot, c, c.op, *w.parts.at(c.part))
	w.parts.give(&c.part)
	return in[k:]
}

// keep appends to the begin of a message that comes in pieces.
func (w *worker) keep(c *record, b []byte) {
	if c.part == 0 {
		c.part = w.parts.take()
	}
	limit := partMax
	if w.swarm.opts.Hooks.Message != nil {
		limit = w.swarm.opts.MessageMax
	}
	p := w.parts.at(c.part)
	*p = append(*p, b[:min(len(b), max(0, limit-len(*p)))]...)
}

func (w *worker) wsMessage(slot uint32, c *record, op byte, b []byte) {
	switch op {
	case opText, opBinary:
		w.message(slot, c, b)
	case opPing:
		w.counts.Pings++
		if c.profile != Silent && w.frame(slot, c, opPong, b[:min(len(b), 125)]) {
			w.counts.Pongs++
		}
	case opClose:
		code, text := uint16(1005), []byte(nil)
		if len(b) >= 2 {
			code, text = binary.BigEndian.Uint16(b), b[2:]
		}
		w.goodbye(c)
		w.closedBy(slot, c, code, closeName(code, text))
	case opPong:
	default:
		w.malformed(slot, c, "bad frame")
	}
}

func closeName(code uint16, text []byte) string {
	s := strconv.Itoa(int(code))
	if len(text) > 0 {
		s += " " + string(text[:min(len(text), 32)])
	}
	return s
}

func (w *worker) malformed(slot uint32, c *record, what string) {
	w.counts.Malformed++
	w.lose(slot, c, "malformed: "+what)
}

// feedChunk takes one step of a chunked body (RFC 9112, 7.1).
func (w *worker) feedChunk(slot uint32, c *record, in []byte) []byte {
	switch c.parse {
	case parseChunkSize:
		for i, b := range in {
			d := hexDigit(b)
			if d < 0 {
				if c.hlen == 0 {
					w.malformed(slot, c, "bad chunk")
					return nil
				}
				c.parse = parseChunkExt
				return in[i:]
			}
			if c.hlen++; c.hlen > 15 {
				w.malformed(slot, c, "bad chunk")
				return nil
			}
			c.remain = c.remain<<4 | uint64(d)
		}
		return nil
	case parseChunkExt:
		i := bytes.IndexByte(in, '\n')
		if i < 0 {
			return nil
		}
		c.hlen = 0
		c.parse = parseChunkData
		if c.remain == 0 {
			c.parse = parseTrailer
		}
		return in[i+1:]
	case parseChunkData:
		k := min(c.remain, uint64(len(in)))
		if c.remain -= k; c.remain == 0 {
			c.parse = parseChunkEnd
		}
		w.feedLines(slot, c, in[:k])
		return in[k:]
	case parseChunkEnd:
		i := bytes.IndexByte(in, '\n')
		if i < 0 {
			return nil
		}
		c.parse = parseChunkSize
		return in[i+1:]
	}
	return w.feedTrailer(slot, c, in)
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}

// feedTrailer skips lines up to an empty one; then the response is complete.
func (w *worker) feedTrailer(slot uint32, c *record, in []byte) []byte {
	for i, b := range in {
		switch {
		case b == '\n' && c.parse == parseTrailer:
			w.bodyEnd(slot, c)
			return in[i+1:]
		case b == '\n':
			c.parse = parseTrailer
		case b != '\r':
			c.parse = parseTrailerRow
		}
	}
	return nil
}

// PollDone is the reason of long polls that were answered.
const PollDone = "poll done"

// bodyEnd asks again when a long poll was answered; other streams are over.
func (w *worker) bodyEnd(slot uint32, c *record) {
	w.parts.give(&c.part)
	switch {
	case c.proto != push.ProtoPoll:
		w.lose(slot, c, "end of stream")
	case w.swarm.opts.Manual:
		w.end(slot, c, PollDone, never)
	case c.flags&flagBye != 0:
		w.end(slot, c, PollDone, w.jitter(1e6))
	default:
		c.remain, c.hlen = 0, 0
		w.ask(slot, c)
	}
}

// feedLines splits body bytes into lines. A line wholly in b is not copied.
func (w *worker) feedLines(slot uint32, c *record, b []byte) {
	gen := c.gen
	for len(b) > 0 && c.gen == gen {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			w.keep(c, b)
			return
		}
		line := b[:i]
		b = b[i+1:]
		if c.part != 0 {
			w.keep(c, line)
			w.line(slot, c, *w.parts.at(c.part))
			w.parts.give(&c.part)
			continue
		}
		w.line(slot, c, line)
	}
}

var dataField = []byte("data: ") // constant

func (w *worker) line(slot uint32, c *record, line []byte) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) == 0 {
		return
	}
	if c.proto != push.ProtoSSE {
		w.message(slot, c, line)
		return
	}
	if rest, ok := bytes.CutPrefix(line, dataField); ok {
		w.message(slot, c, rest)
	} else if line[0] == ':' {
		w.counts.Pings++
	}
}
