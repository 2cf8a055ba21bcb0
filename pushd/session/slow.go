package session

import (
	"fmt"
	"time"

	"pushfleet/internal/push"
)

// slowRound is how often each queue is looked at for slow.wait_max.
const slowRound = time.Second

// closeSlow looks at a share of the connections per tick for messages that
// have waited longer than slow.wait_max. It reads the dense backlog column and
// only the queues that hold something; off it reads nothing.
func (t *Table) closeSlow() {
	limit := t.Knobs.SlowWait.Get()
	high := t.slots.High()
	if limit == 0 || high <= 1 {
		return
	}
	for n := high/uint32(max(1, slowRound/t.Loop.TickEvery())) + 1; n > 0; n-- {
		if t.slowCursor++; t.slowCursor >= high {
			t.slowCursor = 1
		}
		if t.Cols.Queued[t.slowCursor] > 0 {
			t.judgeWait(t.slowCursor, limit)
		}
	}
}

func (t *Table) judgeWait(slot uint32, limit time.Duration) {
	c := &t.conns[slot]
	at, waits := t.queues.Oldest(&c.queue)
	waited := time.Duration(t.nowMS-at) * time.Millisecond
	if !waits || waited <= limit || c.state != StateOpen || c.is(flagDead) {
		return
	}
	t.details[slot] = fmt.Sprintf("its oldest message waited %s; slow.wait_max is %s", waited.Round(100*time.Millisecond), limit)
	t.goodbye(slot, push.CloseSlow)
}
