package publish

import (
	"sync/atomic"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/receipt"
)

// Counts are totals since the node started. Dropped holds only what was dropped
// before it reached a loop; the loops count the rest.
type Counts struct {
	Published uint64 // messages accepted: one per user, group or broadcast
	Lines     uint64 // of publish streams
	BadLines  uint64 // lines and bodies that were no message
	Absent    uint64 // users without a connection
	Kept      uint64 // of them, held in a replay ring
	Dropped   [push.DropReasonCount]uint64
	Streams   int64 // open now
}

type counters struct {
	published, lines, bad, absent, kept atomic.Uint64
	dropped                             [push.DropReasonCount]atomic.Uint64
}

// tally is what one batch adds to the counters.
type tally struct {
	published, absent, kept uint64
	dropped                 [push.DropReasonCount]uint32
}

// Snapshot returns the totals.
func (p *Publisher) Snapshot() Counts {
	c := Counts{Published: p.count.published.Load(), Lines: p.count.lines.Load(), BadLines: p.count.bad.Load(),
		Absent: p.count.absent.Load(), Kept: p.count.kept.Load()}
	for i := range c.Dropped {
		c.Dropped[i] = p.count.dropped[i].Load()
	}
	p.mu.Lock()
	c.Streams = int64(p.open)
	p.mu.Unlock()
	return c
}

// add counts a batch; atomic adds only for what happened.
func (c *counters) add(t *tally) {
	for _, e := range [...]struct {
		to *atomic.Uint64
		n  uint64
	}{{&c.published, t.published}, {&c.absent, t.absent}, {&c.kept, t.kept}} {
		if e.n > 0 {
			e.to.Add(e.n)
		}
	}
	for i, n := range t.dropped {
		if n > 0 {
			c.dropped[i].Add(uint64(n))
		}
	}
}

// result renders a receipt and the users that had no connection.
func result(c receipt.Counts, absent, kept uint64) pushdapi.Result {
	r := pushdapi.Result{Delivered: c.Delivered, Absent: absent, Kept: kept, Pending: c.Pending}
	for i, n := range c.Dropped {
		if n > 0 {
			if r.Dropped == nil {
				r.Dropped = map[string]uint64{}
			}
			r.Dropped[push.DropReason(i).String()] = n
		}
	}
	return r
}
