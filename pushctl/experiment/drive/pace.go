package drive

import "math"

// out replays the pace at which a client read. What its socket took while it
// held production up may be read here too; it was held up as long as anything
// waited there.
func (d *Driver) out(rec *record) {
	c, w := d.known(rec.conn)
	if c == nil {
		if over := d.conns[rec.conn]; over != nil && over.why == notDropped {
			d.books.replay(rec.kind) // of a poll: its answer
			return
		}
		d.books.drop(rec.kind, w)
		return
	}
	var err error
	switch {
	case rec.blocked && !c.held:
		c.held, c.credit = true, 0
		c.owedBytes, c.owedFrames = d.between, 0
		d.books.held++
		err = d.each(c, d.swarm.Hold)
	case c.held && !rec.blocked && rec.queued == 0:
		c.held = false
		d.books.held--
		err = d.each(c, d.swarm.Free)
	case c.held:
		if n := c.earned(rec); n > 0 {
			c.credit += min(n, math.MaxUint32-c.credit)
			err = d.each(c, func(s int) error { return d.swarm.Grant(s, n) })
		}
	}
	if err != nil {
		d.leaveOut(rec, dropFull)
		return
	}
	d.books.replay(rec.kind)
}

// earned is how much of what production's socket took may be read here. When it
// was held up there, the buffers between both ends were full; here they were
// empty and have taken so much more since. And what waited there when the tee
// began has never come here.
func (c *mirrored) earned(rec *record) uint32 {
	if c.owedFrames > 0 {
		c.owedFrames -= min(c.owedFrames, rec.frames)
		return 0
	}
	owed := min(c.owedBytes, rec.bytes)
	c.owedBytes -= owed
	return rec.bytes - owed
}

// bufferBytes is how much lies between the shadow and a client with that
// window that does not read, where the shadow's socket takes unsent bytes more
// than it may send: measured, of 16 KiB the kernel takes half as much again.
//
// A smaller window would pace more tightly and make the shadow do what
// production does not: with 4 KiB, 18 KiB less lie between, and bursts to
// clients that read at once cost twice the processor time and find the socket
// full three times as often. And when a client has stopped reading production
// cannot tell before its own socket is full: the window that TCP_INFO shows
// stays as it is, or grows, until the client's buffer is half full.
func bufferBytes(unsent int64, window int) uint32 {
	return uint32(min(max(unsent, 0), math.MaxInt32)) + uint32(window+window/2)
}
