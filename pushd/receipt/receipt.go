package receipt

import (
	"context"

	"pushfleet/internal/push"
)

// Receipt counts what becomes of the items of one publish. It is used by the
// goroutine that opened it; the loops reach it by its id.
type Receipt struct {
	t  *Table
	s  *slot
	id uint32
}

// Counts is a receipt at one moment.
type Counts struct {
	Pending   uint64 // items that no loop has settled
	Delivered uint64
	Dropped   [push.DropReasonCount]uint64 // by reason; [push.DropNone] stays 0
}

// ID is what travels with the items. It is never 0, except on a nil Receipt:
// nobody asks.
func (r *Receipt) ID() uint32 {
	if r == nil {
		return 0
	}
	return r.id
}

// Expect adds n items to be settled. It must precede handing them to a loop.
func (r *Receipt) Expect(n uint32) {
	if r != nil {
		r.s.pending.Add(uint64(n)) // only the opener closes, so the generation holds
	}
}

// Settle is Table.Settle for the publisher's own share: what it could not hand
// to a loop.
func (r *Receipt) Settle(reason push.DropReason, n uint32) {
	if r != nil {
		r.t.Settle(r.id, reason, n)
	}
}

// Count adds n to a reason for something that was never expected: dropped
// before it became an item.
func (r *Receipt) Count(reason push.DropReason, n uint32) {
	if r != nil {
		r.t.Count(r.id, reason, n)
	}
}

// Pending returns the number of items not settled.
func (r *Receipt) Pending() uint64 {
	if r == nil {
		return 0
	}
	return r.s.pending.Load() & countMask
}

// Counts reads the counts. When Pending is 0 they are final.
func (r *Receipt) Counts() (c Counts) {
	if r == nil {
		return c
	}
	// Pending first: counts are added before pending falls.
	c.Pending = r.Pending()
	for i := range c.Dropped {
		c.Dropped[i] = r.s.counts[i].Load() & countMask
	}
	c.Delivered, c.Dropped[push.DropNone] = c.Dropped[push.DropNone], 0
	return c
}

// Wait returns when nothing is pending, or with ctx's error.
func (r *Receipt) Wait(ctx context.Context) error {
	for r.Pending() > 0 {
		select {
		case <-r.s.zero:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close gives the id back; items settled later are ignored. Closing twice does
// no harm; nothing else may be called after.
func (r *Receipt) Close() {
	if r != nil {
		r.t.close(r)
	}
}
