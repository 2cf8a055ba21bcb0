package session

import "time"

// holdBytes is how much may wait for more: beyond it a further message saves
// next to nothing of what the write costs.
const holdBytes = 16 << 10

// releasesPerTurn bounds how long what a broadcast left waiting holds the loop
// when it comes due.
const releasesPerTurn = 256

// holdingKept is the room that is kept when nothing waits, in connections: a
// broadcast may have needed one for each.
const holdingKept = 1 << 14

// holding are the connections whose messages wait for others to leave in the
// same write, in the order in which the waiting began. An entry whose
// connection has been written to since is stale; if it meanwhile waits again
// that ends early, which costs nothing but the write.
type holding struct {
	list []waiting
	head int
}

type waiting struct {
	since int64 // ns clock
	slot  uint32
}

func (h *holding) empty() bool { return h.head == len(h.list) }

func (h *holding) push(w waiting) {
	if h.head > 1024 && h.head > len(h.list)/2 {
		h.list = h.list[:copy(h.list, h.list[h.head:])]
		h.head = 0
	}
	h.list = append(h.list, w)
}

// due takes off the first entry if it waits since before.
func (h *holding) due(before int64) (slot uint32, ok bool) {
	if h.empty() || h.list[h.head].since > before {
		return 0, false
	}
	slot = h.list[h.head].slot
	if h.head++; h.empty() {
		h.reset()
	}
	return slot, true
}

func (h *holding) reset() {
	h.list, h.head = h.list[:0], 0
	if cap(h.list) > holdingKept {
		h.list = nil
	}
}

// postpone tells that a connection's messages wait for more instead of being
// written now. Frames under way, control frames, goodbyes and answers to polls
// do not wait, nor what fills a write.
func (t *Table) postpone(slot uint32, c *Conn, delay time.Duration) bool {
	if c.state != StateOpen || c.is(flagBlocked|flagAnswer|flagDead) || c.ctlLen > 0 || c.queue.HeadOff > 0 ||
		c.queue.Count == 0 || c.queue.Count >= framesPerWrite || c.queue.Bytes >= holdBytes {
		c.clear(flagHeld)
		return false
	}
	if c.is(flagHeld) {
		return true
	}
	now := t.Loop.Now()
	if !t.Loop.Alarm(now + int64(delay)) {
		return false
	}
	c.set(flagHeld)
	t.held.push(waiting{now, slot})
	return true
}

// releaseHeld writes what has waited for delay, and what would have within an
// eighth of it: a loop of many connections need not wake for each. More tells
// that the next turn should go on with it.
func (t *Table) releaseHeld(delay time.Duration) (more bool) {
	if t.held.empty() {
		return false
	}
	before := t.Loop.Now() - int64(delay-delay/8)
	for range releasesPerTurn {
		slot, ok := t.held.due(before)
		if !ok {
			if !t.held.empty() {
				t.Loop.Alarm(t.held.list[t.held.head].since + int64(delay))
			}
			return false
		}
		if c := &t.conns[slot]; c.is(flagHeld) {
			c.clear(flagHeld)
			t.flush(slot, c)
		}
	}
	return true
}
