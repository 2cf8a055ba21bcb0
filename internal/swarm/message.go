package swarm

import (
	"bytes"
	"time"

	"pushfleet/internal/push"
)

// Marks in the gateway's frames. They are looked for, not parsed as JSON: the
// gateway writes them without spaces and in this order.
var (
	seqMark  = []byte(`{"seq":`)
	typeMark = []byte(`{"type":"`)
	posMark  = []byte(`,"pos":"`)
	dataMark = []byte(`"data":{"t":`)
	kindMark = []byte(`,"k":`)
)

// stampSearch is how far into a frame its stamp is looked for, in bytes.
const stampSearch = 700

// message handles one JSON frame.
func (w *worker) message(slot uint32, c *record, msg []byte) {
	if rest, ok := bytes.CutPrefix(msg, seqMark); ok {
		w.dataMessage(c, rest)
		w.hook(slot, msg)
		return
	}
	w.hook(slot, msg)
	rest, ok := bytes.CutPrefix(msg, typeMark)
	if !ok {
		w.counts.Malformed++
		return
	}
	word, _, _ := bytes.Cut(rest, []byte(`"`))
	if string(word) == "ping" {
		w.counts.Pings++
		return
	}
	w.counts.Control++
	switch string(word) {
	case "hello":
		w.hello(c, msg)
	case "gap":
		w.gap(c, msg)
	case "drain":
		w.drain(slot, c, msg)
	case "close":
		w.closeEvent(slot, c, msg)
	}
}

func (w *worker) hook(slot uint32, msg []byte) {
	if f := w.swarm.opts.Hooks.Message; f != nil {
		f(w.first+int(slot), msg)
	}
}

// dataMessage reads a data frame behind its first mark.
func (w *worker) dataMessage(c *record, b []byte) {
	w.counts.Received++
	seq, b := number(b)
	if seq == 0 || seq > 1<<32-1 {
		w.counts.Malformed++
		return
	}
	if rest, ok := bytes.CutPrefix(b, posMark); ok {
		if i := bytes.IndexByte(rest, '-'); i >= 0 {
			pos, _ := number(rest[i+1:])
			w.position(c, uint32(pos))
		}
	}
	w.sequence(c, uint32(seq))
	if i := bytes.Index(b[:min(len(b), stampSearch)], dataMark); i >= 0 {
		w.stamp(c, b[i+len(dataMark):])
	}
}

// stamp records the latency from the time in the payload. What a slow reader
// sees is its own doing and is kept apart.
func (w *worker) stamp(c *record, b []byte) {
	t, b := number(b)
	if t == 0 {
		return
	}
	kind := 0
	if rest, ok := bytes.CutPrefix(b, kindMark); ok {
		k, _ := number(rest)
		kind = int(min(k, SlowKind-1))
	}
	if c.profile == Slow {
		kind = SlowKind
	}
	w.counts.Stamped++
	d := w.now - int64(t)
	w.total.Kind[kind].Record(d)
	w.recent.Kind[kind].Record(d)
	w.total.Last[kind], w.recent.Last[kind] = w.now, w.now
}

// sequence checks the number of a data frame within its session. A number so
// old that the window has forgotten it counts as a duplicate.
func (w *worker) sequence(c *record, seq uint32) {
	before := c.lost()
	switch d := seq - c.seq; {
	case seq > c.seq:
		c.missing += d - 1
		c.window = c.window<<min(d, 64) | 1
		c.seq = seq
		w.counts.Missing += int64(d - 1)
	case c.seq-seq < 64 && c.window>>(c.seq-seq)&1 == 0:
		c.window |= 1 << (c.seq - seq)
		c.missing--
		w.counts.Missing--
		w.counts.OutOfOrder++
	default:
		w.counts.Duplicates++
	}
	w.counts.Lost += c.lost() - before
}

// lost is how many numbers are missing without an announced gap.
func (c *record) lost() int64 { return max(0, int64(c.missing)-int64(c.declared)) }

// position checks the numbering of a user's messages across sessions: the
// first message of a resumed session must follow the last one seen. Within a
// session sequence does it.
func (w *worker) position(c *record, pos uint32) {
	if c.seq == 0 && c.pos != 0 && c.flags&flagReplayGap == 0 {
		switch {
		case pos <= c.pos:
			w.counts.Duplicates++
		case pos > c.pos+1:
			w.counts.Missing += int64(pos - c.pos - 1)
			w.counts.Lost += int64(pos - c.pos - 1)
		}
	}
	c.pos = max(c.pos, pos)
}

// hello begins a session; positions of another epoch mean nothing any more.
func (w *worker) hello(c *record, msg []byte) {
	c.seq, c.window, c.missing, c.declared = 0, 0, 0, 0
	c.flags &^= flagReplayGap
	epoch := field(msg, `"epoch":"`)
	end := bytes.IndexByte(epoch, '"')
	if end < 0 {
		return
	}
	if string(epoch[:end]) != w.epoch {
		w.epoch = string(epoch[:end])
		w.epochs++
	}
	if c.epoch != w.epochs {
		c.epoch = w.epochs
		c.pos = 0
	}
}

// gap counts messages that the server announces as dropped.
func (w *worker) gap(c *record, msg []byte) {
	n, _ := number(field(msg, `"count":`))
	if n == 0 { // of a replay: how many is not known
		c.flags |= flagReplayGap
		return
	}
	before := c.lost()
	c.declared += uint32(n)
	w.counts.Declared += int64(n)
	w.counts.Lost += c.lost() - before
}

// drain leaves when the server asks to, if it may come back.
func (w *worker) drain(slot uint32, c *record, msg []byte) {
	if !w.swarm.opts.Reconnect {
		return
	}
	ms, _ := number(field(msg, `"after_ms":`))
	w.timers.push(timer{due: w.now + int64(min(ms, 600_000))*int64(time.Millisecond), slot: slot, gen: c.gen, kind: timerLeave})
}

// closeEvent is the polite end on the transports without a Close frame. The
// end of a long poll's answer is not the end of its connection.
func (w *worker) closeEvent(slot uint32, c *record, msg []byte) {
	code, _ := number(field(msg, `"code":`))
	if code == 1000 && c.proto == push.ProtoPoll {
		return
	}
	reason := field(msg, `"reason":"`)
	if i := bytes.IndexByte(reason, '"'); i >= 0 {
		reason = reason[:i]
	}
	w.closedBy(slot, c, uint16(code), closeName(uint16(code), reason))
}

// field returns what follows mark, nil if it is not there.
func field(msg []byte, mark string) []byte {
	i := bytes.Index(msg, []byte(mark))
	if i < 0 {
		return nil
	}
	return msg[i+len(mark):]
}

// number reads decimal digits and returns the rest; more than 19 digits give
// no number.
func number(b []byte) (uint64, []byte) {
	var v uint64
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		v = v*10 + uint64(b[i]-'0')
	}
	if i > 19 {
		return 0, b[i:]
	}
	return v, b[i:]
}
