package session

import (
	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws"
)

// headMax bounds a request head, and what a connection may hold undecoded.
const headMax = 16 << 10

// readsPerTurn bounds how long one talkative client holds the loop.
const readsPerTurn = 4

// readable reads what a socket has. It reads on until the socket is empty, for
// the readiness is told only once; a short read says that it is, unless the
// end of the stream may be behind it.
func (t *Table) readable(slot uint32, end bool) {
	c := &t.conns[slot]
	for range readsPerTurn {
		n, err := t.Loop.Budget().Read(int(c.fd), t.read)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return
		case err != nil:
			t.finish(slot, lossOf(c, err), err.Error())
			return
		case n == 0:
			t.ended(slot, c)
			return
		}
		t.totals.BytesIn += uint64(n)
		t.lastSeen[slot] = t.nowMS
		c.beats = 0
		if c.state == StateClosing && !t.goodbyeLeft(slot, c, n) {
			return
		}
		gen := c.gen
		t.plaintext(slot, c, t.read[:n])
		if c.gen != gen || c.state == StateFree || c.is(flagDead) || n < len(t.read) && !end {
			return
		}
	}
	// Once only: a client that talks on is told of by the poller too, and each
	// further entry would come again every turn.
	if !c.is(flagReadMore) {
		c.set(flagReadMore)
		t.again = append(t.again, slot)
	}
}

// closingReadMax is what a client may still send after our goodbye. More than
// was under way is a client that does not listen: it is cut off.
const closingReadMax = 256 << 10

// goodbyeLeft counts what a closing connection still sends.
func (t *Table) goodbyeLeft(slot uint32, c *Conn, n int) bool {
	c.msgLen += uint32(n) // no message is collected any more
	if c.msgLen > closingReadMax {
		t.doom(slot, c, c.why, "")
		return false
	}
	return true
}

// ended is the peer's end of stream.
func (t *Table) ended(slot uint32, c *Conn) { t.finish(slot, lossOf(c, nil), "") }

// lossOf is why a connection ends whose socket has ended.
func lossOf(c *Conn, err error) push.CloseReason {
	switch {
	case c.state == StateClosing:
		return c.why
	case c.unfinished() && c.is(flagKeep):
		return push.ClosePollDone
	case err == unix.ETIMEDOUT:
		return push.CloseHeartbeat // the kernel has watched for us, see watchSilence
	}
	return push.CloseGone
}

// plaintext takes bytes as the codec is to see them. TLS will sit between
// readable and here, and between writer.send and the socket: codecs and queues
// see plaintext only.
func (t *Table) plaintext(slot uint32, c *Conn, b []byte) {
	if c.in == 0 {
		t.keep(slot, c, t.consume(slot, c, b))
		return
	}
	// Join what waited with what came; the waiting part is small.
	joined := append(append(make([]byte, 0, int(c.inLen)+len(b)), t.buffers.Bytes(c.in, int(c.inLen))...), b...)
	t.free(&c.in)
	c.inLen = 0
	t.keep(slot, c, t.consume(slot, c, joined))
}

// keep holds the bytes that could not be decoded yet.
func (t *Table) keep(slot uint32, c *Conn, rest []byte) {
	if len(rest) == 0 || c.state == StateFree || c.is(flagDead) {
		return
	}
	if c.state == StateClosing && len(rest) >= ws.ControlMax {
		return // no part of a Close frame
	}
	if len(rest) > headMax {
		t.goodbye(slot, push.CloseOversize)
		return
	}
	r, ok := t.hold(slot, len(rest))
	if !ok {
		return
	}
	copy(t.buffers.Bytes(r, len(rest)), rest)
	c.in, c.inLen = r, uint16(len(rest))
}

// hold takes a buffer of the loop's share of conns.buffer_bytes_max; when that
// is used up the connection that asks is closed.
func (t *Table) hold(slot uint32, n int) (slab.Ref, bool) {
	if t.buffers.Used() < t.Knobs.BuffersMax.Get()/int64(max(1, t.Loop.Loops)) {
		if r, ok := t.buffers.Alloc(n); ok {
			return r, true
		}
	}
	t.doom(slot, &t.conns[slot], push.CloseMemory, "conns.buffer_bytes_max is used up")
	return 0, false
}

func (t *Table) free(r *slab.Ref) {
	if *r != 0 {
		t.buffers.Free(*r)
		*r = 0
	}
}

// consume decodes as much as it can and returns the rest.
func (t *Table) consume(slot uint32, c *Conn, b []byte) []byte {
	for len(b) > 0 {
		n := 0
		switch {
		case c.state == StateProxy:
			n = t.proxied(slot, b)
		case c.state == StateHandshake:
			n = t.handshake(slot, b)
			if n == 0 && len(b) >= headMax && c.state == StateHandshake {
				t.reject(slot, push.CloseBadRequest, headTooLarge, "")
			}
		case c.state == StateOpen && c.proto == push.ProtoWS:
			n = t.frame(slot, c, b)
		case c.state == StateOpen && c.proto == push.ProtoPoll:
			return b // the next request waits until this poll is answered
		case c.state == StateClosing && c.proto == push.ProtoWS && !c.is(flagDead):
			return t.awaitClose(slot, c, b)
		default:
			return nil // nothing that such a client sends means anything
		}
		if n == 0 {
			return b
		}
		b = b[n:]
	}
	return nil
}

// frame decodes one piece of a WebSocket stream; n is 0 when it needs more
// bytes or the connection is ending.
func (t *Table) frame(slot uint32, c *Conn, b []byte) (n int) {
	limit := uint32(t.Knobs.ReadBytesMax.Get())
	ev, payload, n, err := c.ws.Next(b, limit)
	if err != nil {
		t.details[slot] = err.Text
		t.goodbye(slot, err.Reason)
		return 0
	}
	switch ev {
	case ws.Data:
		if !t.collect(slot, c, payload) {
			return 0
		}
	case ws.End:
		if !t.message(slot, c, payload) {
			return 0
		}
	case ws.Ping:
		if !t.allowed(slot, c) {
			return 0
		}
		t.control(slot, c, ws.AppendPong(t.scratch[:0], payload))
	case ws.Close:
		t.answerClose(slot, c, payload)
		return 0
	}
	return n
}

// collect appends a piece of a client message.
func (t *Table) collect(slot uint32, c *Conn, piece []byte) bool {
	if len(piece) == 0 {
		return true
	}
	need := int(c.msgLen) + len(piece)
	if c.msg == 0 || t.buffers.Size(c.msg) < need {
		r, ok := t.hold(slot, max(need, 256))
		if !ok {
			return false
		}
		copy(t.buffers.Bytes(r, need), t.pending(c))
		t.free(&c.msg)
		c.msg = r
	}
	copy(t.buffers.Bytes(c.msg, need)[c.msgLen:], piece)
	c.msgLen = uint32(need)
	return true
}

func (t *Table) pending(c *Conn) []byte {
	if c.msg == 0 {
		return nil
	}
	return t.buffers.Bytes(c.msg, int(c.msgLen))
}

// message handles a whole client message whose last part is last.
func (t *Table) message(slot uint32, c *Conn, last []byte) bool {
	if !t.allowed(slot, c) {
		return false
	}
	if c.msg != 0 {
		if !t.collect(slot, c, last) {
			return false
		}
		last = t.pending(c)
	}
	c.received++
	t.totals.Received++
	t.command(slot, c, last)
	t.free(&c.msg)
	c.msgLen = 0
	return c.state == StateOpen
}

// allowed takes one from the connection's read allowance.
func (t *Table) allowed(slot uint32, c *Conn) bool {
	rate := t.Knobs.ReadRate.Get()
	if rate == 0 {
		return true
	}
	c.readLeft = uint16(min(int64(c.readLeft), rate)) // the knob may have been turned down
	if c.readLeft == 0 {
		more := int64(t.nowMS-c.readAt) * rate / 1000
		if more == 0 {
			t.goodbye(slot, push.CloseReadRate)
			return false
		}
		c.readLeft = uint16(min(more, rate))
		c.readAt = t.nowMS
	}
	c.readLeft--
	return true
}
