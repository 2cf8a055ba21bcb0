package session

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/queue"
	"pushfleet/pushd/wire"
)

const (
	framesPerWrite = 64
	bytesPerWrite  = 256 << 10
	// copyMax is the tail length up to which copying is cheaper than another
	// piece in writev.
	copyMax = 512
	// writesPerTurn bounds how long one backlog holds the loop.
	writesPerTurn = 4
)

// writer gathers the pieces of one write. Owned by the loop.
type writer struct {
	buf    []byte // heads, feet and small tails; never grown while pieces point into it
	iov    []unix.Iovec
	start  int // of the run in buf that is not in iov yet
	total  int
	frames []int      // lengths of the message frames gathered
	tails  []int      // of them the tails, which count as bytes out
	one    wire.Frame // the frame to encode: a local one would escape to the heap
}

func (w *writer) init() {
	w.buf = make([]byte, 0, framesPerWrite*(wire.HeadMax+8+copyMax))
	w.iov = make([]unix.Iovec, 0, 2*framesPerWrite+2)
	w.frames = make([]int, 0, framesPerWrite)
	w.tails = make([]int, 0, framesPerWrite)
}

func (w *writer) reset() {
	w.buf, w.iov, w.frames, w.tails = w.buf[:0], w.iov[:0], w.frames[:0], w.tails[:0]
	w.start, w.total = 0, 0
}

func (w *writer) full() bool {
	return len(w.frames) == framesPerWrite || w.total >= bytesPerWrite
}

// cut closes the run of copied bytes.
func (w *writer) cut() {
	if run := w.buf[w.start:]; len(run) > 0 {
		w.iov = append(w.iov, unix.Iovec{Base: &run[0], Len: uint64(len(run))})
		w.start = len(w.buf)
	}
}

func (w *writer) add(b []byte) {
	w.total += len(b)
	if len(b) <= copyMax {
		w.buf = append(w.buf, b...)
		return
	}
	w.cut()
	w.iov = append(w.iov, unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))})
}

// frame adds one data frame without its first skip bytes.
func (w *writer) frame(codec wire.Codec, f *wire.Frame, skip int) {
	at := len(w.buf)
	head, foot := codec.Head(w.buf, f)
	w.buf = head
	n := len(head) - at
	w.frames = append(w.frames, n+len(f.Tail)+len(foot))
	w.tails = append(w.tails, len(f.Tail))
	cutHead := min(skip, n)
	if cutHead > 0 {
		copy(w.buf[at:], w.buf[at+cutHead:])
		w.buf = w.buf[:len(w.buf)-cutHead]
	}
	w.total += n - cutHead
	skip -= cutHead
	cutTail := min(skip, len(f.Tail))
	w.add(f.Tail[cutTail:])
	foot = foot[skip-cutTail:]
	w.buf = append(w.buf, foot...)
	w.total += len(foot)
}

// send writes what was gathered in one call.
func (t *Table) send(c *Conn) (int, error) {
	w := &t.out
	w.cut()
	t.totals.Writes++
	if len(w.iov) == 1 {
		return t.Loop.Budget().Write(int(c.fd), unsafe.Slice(w.iov[0].Base, w.iov[0].Len))
	}
	return t.Loop.Budget().Writev(int(c.fd), w.iov)
}

// flush writes as much of a connection's queue as the socket takes: the rest
// of a frame that is partly in it, then control frames, then messages.
func (t *Table) flush(slot uint32, c *Conn) {
	var out, bytes uint32
	wire, blocked := t.wire, c.is(flagBlocked)
	for i := 0; !c.is(flagBlocked | flagDead); i++ {
		if i == writesPerTurn {
			t.markDirty(slot)
			break
		}
		headOff := int(c.queue.HeadOff)
		ctl := t.gather(slot, c)
		if t.out.total == 0 {
			break
		}
		n, b := t.sent(slot, c, headOff, ctl)
		out, bytes = out+n, bytes+b
		if c.queue.Count == 0 && c.ctlLen == 0 && c.queue.Sent == c.queue.Seq {
			break
		}
	}
	t.account(slot, c, out, bytes)
	if c.is(flagsTee) && (t.wire != wire || c.is(flagBlocked) && !blocked) {
		t.teeOut(slot, c, out, t.wire-wire)
	}
	if out > 0 && c.proto == push.ProtoPoll {
		c.set(flagAnswer) // though a gap behind the message may still wait for the socket
	}
	if c.is(flagDead) {
		t.finish(slot, c.why, "")
		return
	}
	if c.queue.Count == 0 && c.ctlLen == 0 && !c.is(flagBlocked) {
		t.drained(slot, c, out)
	}
}

func (t *Table) account(slot uint32, c *Conn, out, bytes uint32) {
	c.delivered += out
	c.bytesOut += uint64(bytes)
	t.totals.Delivered += uint64(out)
	t.totals.BytesOut += uint64(bytes)
	t.queues.Account(&c.queue, slot, out, bytes, t.nowMS64())
}

// gather collects the next write and returns the number of control bytes in
// it. It stops before a gap in the numbers or a message past its time, which
// the next round tells or drops at the front.
func (t *Table) gather(slot uint32, c *Conn) (ctl int) {
	w := &t.out
	w.reset()
	n := t.queues.First(&c.queue, slot, t.nowMS)
	last := c.queue.Sent
	if n != nil && c.queue.HeadOff > 0 {
		last = n.Seq
		t.gatherFrame(c, n, int(c.queue.HeadOff))
		n = t.queues.After(n)
	} else if t.gap(slot, c, n) {
		last = c.queue.Sent
	}
	if c.ctlLen > 0 {
		b := t.buffers.Bytes(c.ctl, int(c.ctlLen))[c.ctlOff:]
		ctl = len(b)
		w.add(b)
	}
	if c.is(flagClosed) {
		return ctl
	}
	for ; n != nil && !w.full() && n.Seq == last+1 && !t.queues.Expired(n, t.nowMS); n = t.queues.After(n) {
		t.gatherFrame(c, n, 0)
		last = n.Seq
	}
	return ctl
}

func (t *Table) gatherFrame(c *Conn, n *queue.Node, skip int) {
	t.out.one = wire.Frame{Seq: n.Seq, Pos: n.Pos, Epoch: t.Epoch, Tail: t.queues.Tail(n)}
	t.out.frame(codecs[c.proto], &t.out.one, skip)
}

// gap tells the client which numbers it will not see, before the message n
// that follows them, or at the end of the queue when n is nil.
func (t *Table) gap(slot uint32, c *Conn, n *queue.Node) bool {
	to := c.queue.Seq
	if n != nil {
		to = n.Seq - 1
	}
	from := c.queue.Sent + 1
	if int32(to-from) < 0 || c.is(flagClosed) {
		return false
	}
	c.queue.Sent = to
	frame := codecs[c.proto].Control(t.scratch[:0], wire.TypeGap, "", wire.GapSeq(nil, from, to, to-from+1, c.queue.Why().String()))
	t.queueControl(slot, c, frame)
	return true
}

// sent writes what was gathered and takes what went into the socket off the
// queue.
func (t *Table) sent(slot uint32, c *Conn, headOff, ctl int) (out, bytes uint32) {
	w := &t.out
	n, err := t.send(c)
	if err != nil {
		if err == unix.EAGAIN {
			n = 0
		} else {
			t.doom(slot, c, push.CloseGone, err.Error())
			return 0, 0
		}
	}
	t.wire += uint64(n)
	if n < w.total {
		t.totals.WouldWait++
		c.set(flagBlocked)
		if c.is(flagTraced) {
			t.traceStall(slot, c)
		}
	}
	now := t.Clock.Now()
	i := 0
	if headOff > 0 && len(w.frames) > 0 {
		rest := w.frames[0] - headOff
		if n < rest {
			c.queue.HeadOff += uint32(n)
			return 0, 0
		}
		n -= rest
		out, bytes, i = 1, uint32(w.tails[0]), 1
		t.written(slot, c, now)
	}
	took := min(n, ctl)
	t.controlSent(c, took)
	n -= took
	for ; i < len(w.frames) && n >= w.frames[i]; i++ {
		n -= w.frames[i]
		out++
		bytes += uint32(w.tails[i])
		t.written(slot, c, now)
	}
	if i < len(w.frames) && n > 0 {
		c.queue.HeadOff = uint32(n)
	}
	return out, bytes
}

// written removes the first message, which is now wholly in the socket.
func (t *Table) written(slot uint32, c *Conn, now int64) {
	n := t.queues.Head(&c.queue)
	t.latency.Record(now - t.queues.PublishedAt(n))
	if c.is(flagTraced) {
		t.traceWrite(slot, c, n)
	}
	t.queues.Pop(&c.queue)
}

// drained is called when nothing waits any more.
func (t *Table) drained(slot uint32, c *Conn, out uint32) {
	switch {
	case c.state == StateClosing && !c.is(flagClosed):
		t.sayGoodbye(slot, c)
	case c.state == StateClosing:
		t.shut(slot, c)
	case c.proto == push.ProtoPoll && (out > 0 || c.is(flagAnswer)) && c.state == StateOpen:
		t.endPoll(slot, c)
	}
}

// control writes a control frame at once if nothing is in its way; what the
// socket does not take waits in front of all messages.
func (t *Table) control(slot uint32, c *Conn, b []byte) {
	if c.ctlLen == 0 && c.queue.HeadOff == 0 && !c.is(flagBlocked) {
		t.totals.Writes++
		n, err := t.Loop.Budget().Write(int(c.fd), b)
		if err != nil && err != unix.EAGAIN {
			t.doom(slot, c, push.CloseGone, err.Error())
			return
		}
		n = max(n, 0)
		t.wire += uint64(n)
		if n < len(b) {
			t.totals.WouldWait++
			c.set(flagBlocked)
		}
		if c.is(flagsTee) {
			t.teeOut(slot, c, 0, uint64(n))
		}
		if b = b[n:]; len(b) == 0 {
			return
		}
	}
	t.queueControl(slot, c, b)
}

func (t *Table) controlFrame(slot uint32, c *Conn, typ string, json []byte) {
	if c.is(flagClosed) || c.state != StateOpen {
		return
	}
	t.control(slot, c, codecs[c.proto].Control(make([]byte, 0, len(json)+64), typ, "", json))
}

// queueControl lets a control frame wait for the next flush.
func (t *Table) queueControl(slot uint32, c *Conn, b []byte) {
	need := int(c.ctlLen) + len(b)
	if int64(need) > t.Knobs.ControlMax.Get() {
		t.doom(slot, c, push.CloseControl, "control frames unread")
		return
	}
	if c.ctl == 0 || t.buffers.Size(c.ctl) < need {
		r, ok := t.buffers.Alloc(max(need, 256))
		if !ok {
			t.doom(slot, c, push.CloseMemory, "")
			return
		}
		if c.ctl != 0 {
			copy(t.buffers.Bytes(r, need), t.buffers.Bytes(c.ctl, int(c.ctlLen)))
		}
		t.free(&c.ctl)
		c.ctl = r
	}
	copy(t.buffers.Bytes(c.ctl, need)[c.ctlLen:], b)
	c.ctlLen = uint16(need)
	t.markDirty(slot)
}

func (t *Table) controlSent(c *Conn, n int) {
	if n == 0 {
		return
	}
	if c.ctlOff += uint16(n); c.ctlOff == c.ctlLen {
		t.free(&c.ctl)
		c.ctlLen, c.ctlOff = 0, 0
	}
}
