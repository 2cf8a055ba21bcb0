package session

import (
	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/poll"
	"pushfleet/pushd/wire/ws"
)

// headTooLarge answers a request that does not end.
var headTooLarge = &wire.HTTPError{Status: 431, Code: "head_too_large",
	Message: "the request head is larger than 16 KiB; send fewer or shorter headers"}

// flushFirst tells whether what waits is still delivered before the goodbye.
func flushFirst(why push.CloseReason) bool {
	return why == push.CloseDrain || why == push.CloseKicked || why == push.CloseExpired
}

// goodbye begins the polite end of a connection: a close frame, then our half
// of the socket, then the other half or close.wait, whichever comes first.
func (t *Table) goodbye(slot uint32, why push.CloseReason) {
	c := &t.conns[slot]
	if c.state == StateFree || c.state == StateClosing || c.is(flagDead) {
		return
	}
	if c.proto == push.ProtoNone {
		t.doom(slot, c, why, "")
		return
	}
	c.why = why
	if !flushFirst(why) {
		t.dropWaiting(slot, c)
	}
	t.closing(slot, c)
}

// left is what waited when the end of a connection was decided.
type left struct{ messages, bytes uint32 }

// dropWaiting gives up what the goodbye does not wait for.
func (t *Table) dropWaiting(slot uint32, c *Conn) {
	if c.queue.Count > 0 {
		t.left[slot] = left{c.queue.Count, c.queue.Bytes}
	}
	t.queues.DropWaiting(&c.queue, slot, push.DropClosed)
}

// closing offers nothing new from now on; the socket is closed after
// close.wait at the latest.
func (t *Table) closing(slot uint32, c *Conn) {
	if c.is(flagDead) {
		return
	}
	if c.state != StateClosing {
		t.free(&c.msg)
		c.msgLen = 0
		t.setState(slot, StateClosing)
		t.due(slot, dueClose, t.Knobs.CloseWait.Get())
	}
	t.markDirty(slot)
}

// doom ends a connection at the end of the turn: no goodbye can be said.
func (t *Table) doom(slot uint32, c *Conn, why push.CloseReason, detail string) {
	if c.is(flagDead) || c.state == StateFree {
		return
	}
	if c.state != StateClosing {
		c.why = why
	}
	if detail != "" && t.details[slot] == "" {
		t.details[slot] = detail
	}
	c.set(flagDead)
	t.markDirty(slot)
}

// sayGoodbye writes the close frame when nothing is before it any more.
func (t *Table) sayGoodbye(slot uint32, c *Conn) {
	c.set(flagClosed)
	t.control(slot, c, codecs[c.proto].Close(t.scratch[:0], c.why))
	t.markDirty(slot)
}

// shut ends our half of the socket once all is written. Closing at once would
// reset the connection if client bytes are unread, and lose what we sent.
func (t *Table) shut(slot uint32, c *Conn) {
	if c.why == push.CloseClient && c.proto == push.ProtoWS {
		t.finish(slot, c.why, "")
		return
	}
	if !c.is(flagShut) {
		c.set(flagShut)
		_ = unix.Shutdown(int(c.fd), unix.SHUT_WR)
	}
}

// awaitClose skips what a WebSocket client still sends until its Close frame.
func (t *Table) awaitClose(slot uint32, c *Conn, b []byte) []byte {
	for len(b) > 0 {
		ev, _, n, err := c.ws.Next(b, uint32(t.Knobs.ReadBytesMax.Get()))
		if err != nil {
			return nil
		}
		if ev == ws.Close {
			if c.is(flagClosed) && c.ctlLen == 0 {
				t.finish(slot, c.why, "")
			}
			return nil
		}
		if n == 0 {
			return b // a frame in pieces
		}
		b = b[n:]
	}
	return nil
}

// appendCloseEcho answers a client's Close frame with the code it gave.
func appendCloseEcho(dst, payload []byte) []byte {
	if len(payload) < 2 {
		return ws.AppendCloseCode(dst, 1000)
	}
	return ws.AppendCloseCode(dst, ws.CloseCode(payload))
}

// endPoll ends the response to a long poll. The user's next messages wait in
// its replay ring until it asks again.
func (t *Table) endPoll(slot uint32, c *Conn) {
	t.control(slot, c, poll.End(t.scratch[:0]))
	if !c.is(flagKeep) || c.is(flagDead) || t.drain != nil {
		c.why = push.ClosePollDone
		c.set(flagClosed)
		t.closing(slot, c)
		return
	}
	t.leave(slot, c)
	if c.is(flagsTee) {
		t.teeClose(slot, c, push.ClosePollDone)
	}
	t.totals.Open[c.proto]--
	t.totals.Open[push.ProtoNone]++
	rest := c.in
	n := c.inLen
	c.in, c.inLen = 0, 0
	c.proto = push.ProtoNone
	c.clear(flagAnswer | flagResume | flagTraced | flagExpires)
	t.queues.Reset(&c.queue, slot)
	// A new generation: what is still on its way to the old session is in the
	// ring too, and must not arrive twice.
	if c.gen++; c.gen == 0 {
		c.gen = 1
	}
	t.setState(slot, StateHandshake)
	if err := t.Loop.Rewatch(int(c.fd), uint64(c.gen)<<32|uint64(slot)); err != nil {
		t.doom(slot, c, push.CloseError, err.Error())
		return
	}
	t.awaitRequest(slot, c)
	if rest != 0 {
		b := append([]byte(nil), t.buffers.Bytes(rest, int(n))...)
		t.buffers.Free(rest)
		t.plaintext(slot, c, b)
	}
}

// leave takes the connection out of the register and all groups.
func (t *Table) leave(slot uint32, c *Conn) {
	t.Router.Drop(t.handle(slot), c.users)
	c.users = 0
	delete(t.logins, slot)
	t.members.DropAll(slot, c.groups, func(g uint32) { t.Router.GroupLeave(g, t.Loop.Index) })
	c.groups = 0
}

// finish closes the socket and leaves nothing behind but a row in the ring of
// closed connections.
func (t *Table) finish(slot uint32, why push.CloseReason, detail string) {
	c := &t.conns[slot]
	if c.state == StateFree {
		return
	}
	if detail == "" {
		detail = t.details[slot]
	}
	if c.state == StateClosing && c.why != push.CloseNone {
		why = c.why
	}
	t.Shared.Closed.Add(t.epitaph(slot, c, why, detail))
	if c.is(flagTraced) {
		t.traceClose(slot, c, why)
	}
	t.leave(slot, c)
	if c.is(flagsTee) {
		t.teeClose(slot, c, why)
	}
	t.queues.Discard(&c.queue, slot, push.DropClosed)
	for _, r := range []*slab.Ref{&c.in, &c.msg, &c.ctl} {
		t.free(r)
	}
	t.freePeer(c)
	t.totals.Closed[why]++
	t.totals.Open[c.proto]--
	delete(t.details, slot)
	delete(t.left, slot)
	t.Loop.CloseFD(int(c.fd))
	gen := c.gen
	*c = Conn{fd: -1, gen: gen}
	t.Cols.ClearSlot(slot)
	t.slots.Give(slot)
	t.Shared.Open.Add(-1)
}

func (t *Table) freePeer(c *Conn) {
	if c.is(flagPeer6) {
		t.buffers.Free(c.peerRef())
		c.clear(flagPeer6)
		c.peer = [4]byte{}
	}
}
