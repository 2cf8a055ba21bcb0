package session

import (
	"math/rand/v2"
	"runtime"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire"
)

// walk is a broadcast or group send under way on this loop: one inbox item
// that becomes a message for each receiver, a slice at a time, so that other
// work is not held up.
type walk struct {
	msg     slab.Ref
	receipt uint32
	group   uint32
	cursor  uint32
	all     bool
	until   uint32 // slots that existed when an all-walk began
}

// emptyPerStep bounds how many free slots one step may skip.
const emptyPerStep = 8192

func (t *Table) startWalk(it *reactor.Item) {
	w := walk{msg: it.Msg, receipt: it.Receipt, all: it.Kind == reactor.KindAll, until: t.slots.High(), cursor: 1}
	if !w.all {
		w.group, w.cursor = uint32(it.H), 0
	}
	if t.slots.Live() == 0 {
		t.endWalk(&w) // nobody to wait for; the loop may be about to end
		return
	}
	t.walks = append(t.walks, w)
}

// stepWalks gives each walk under way one slice.
func (t *Table) stepWalks() {
	rate := t.Knobs.BroadcastRate.Get()
	if rate != t.pace {
		t.pace, t.paid = rate, 0 // what was owed at another rate would hold the new one up
	}
	if len(t.walks) == 0 || t.paid > t.Loop.Now() {
		return
	}
	// With as many loops as processors nothing else would run meanwhile.
	runtime.Gosched()
	slice := int(t.Knobs.BroadcastSlice.Get())
	served, left := 0, t.walks[:0]
	for i := range t.walks {
		w := &t.walks[i]
		n, done := t.step(w, slice)
		served += n
		if done {
			t.endWalk(w)
		} else {
			left = append(left, *w)
		}
	}
	t.walks = left
	if rate > 0 {
		share := float64(rate) / float64(max(1, t.Loop.Loops))
		// An idle loop looks again at the next tick: what is due until then adds up.
		t.paid = max(t.paid, t.Loop.Now()-int64(t.Loop.TickEvery())) + int64(float64(served)/share*1e9)
	}
}

func (t *Table) endWalk(w *walk) {
	t.queues.Bin().Release(w.msg)
	if w.receipt != 0 {
		t.Receipts.Finish(w.receipt, 1)
	}
}

func (t *Table) step(w *walk, slice int) (served int, done bool) {
	var became [push.DropReasonCount]uint32
	give := func(slot uint32) {
		c := &t.conns[slot]
		if c.state != StateOpen {
			return
		}
		t.Messages.Retain(w.msg, 1)
		became[t.offer(slot, c, w.msg, 0)]++
		served++
	}
	if w.all {
		done = t.stepAll(w, slice, give, &served)
	} else {
		w.cursor, done = t.members.Walk(w.group, w.cursor, slice, give)
	}
	if w.receipt != 0 {
		for r, n := range became {
			if n > 0 {
				t.Receipts.Count(w.receipt, push.DropReason(r), n)
			}
		}
	}
	return served, done
}

func (t *Table) stepAll(w *walk, slice int, give func(uint32), served *int) (done bool) {
	for looked := 0; w.cursor < w.until && *served < slice && looked < emptyPerStep; looked++ {
		give(w.cursor)
		w.cursor++
	}
	return w.cursor >= w.until
}

// paced tells that walks wait for their pace only; the tick goes on with them.
func (t *Table) paced() bool { return len(t.walks) > 0 && t.paid > t.Loop.Now() }

// draining is the end of all connections of a loop, spread over a time.
type draining struct {
	cursor uint32
	window time.Duration
	why    push.CloseReason
}

func (d *draining) stepping() bool { return d != nil && d.cursor != 0 }

// Drain stops listening, tells every client to come back elsewhere, and closes
// them spread over window. Call it on the loop.
func (t *Table) Drain(window time.Duration) {
	t.Loop.Refuse()
	t.drain = &draining{cursor: 1, window: window, why: push.CloseDrain}
}

// drainSlice is the number of connections told in one turn.
const drainSlice = 256

func (t *Table) stepDrain() {
	d := t.drain
	if !d.stepping() {
		return
	}
	for n := 0; n < drainSlice && d.cursor < t.slots.High(); n++ {
		slot := d.cursor
		d.cursor++
		c := &t.conns[slot]
		switch {
		case c.unfinished():
			t.doom(slot, c, push.CloseDrain, "")
		case c.state == StateOpen:
			after := time.Duration(rand.Int64N(int64(d.window) + 1))
			t.controlFrame(slot, c, wire.TypeDrain, wire.DrainMsg(nil, int(after/time.Millisecond)))
			t.due(slot, dueGoodbye, after)
		}
	}
	if d.cursor >= t.slots.High() {
		d.cursor = 0
	}
}

// Live is the number of connections; call it on the loop.
func (t *Table) Live() int { return int(t.slots.Live()) }

// CloseAll ends every connection at once. Call it on the loop.
func (t *Table) CloseAll(why push.CloseReason) {
	for slot := uint32(1); slot < t.slots.High(); slot++ {
		if t.conns[slot].state != StateFree {
			t.finish(slot, why, "")
		}
	}
	for i := range t.walks {
		if w := &t.walks[i]; !w.all && w.cursor != 0 {
			t.members.Stop(w.group)
		}
		t.endWalk(&t.walks[i])
	}
	t.walks = nil
	t.queues.Bin().Flush()
}
