package reactor

import (
	"sync"
	"sync/atomic"

	"pushfleet/internal/push"
	"pushfleet/internal/rawsys"
	"pushfleet/pushd/slab"
)

// Kinds of items.
const (
	KindSend  uint8 = iota // to the connection H
	KindAll                // to every connection of the loop
	KindGroup              // to the members of the group whose index is in H
)

// Item is one delivery on its way to the loop that owns the connection. One
// reference to Msg travels with it.
type Item struct {
	H       push.Handle
	Msg     slab.Ref
	Pos     uint32 // position in the user's replay ring; 0 none
	Receipt uint32 // who asks what became of it; 0 nobody
	Kind    uint8
}

// inbox is where other goroutines leave work for a loop.
type inbox struct {
	waker *rawsys.Waker

	// sleeping is 1 from the moment the loop has found nothing to do until
	// somebody takes it upon himself to wake it: one wake per sleep.
	sleeping atomic.Uint32
	waiting  atomic.Int64 // items and calls posted and not yet taken

	mu     sync.Mutex
	items  []Item
	calls  []func()
	closed bool
}

// post leaves items, as many as fit, and says how many those were.
func (b *inbox) post(items []Item, max int) int {
	b.mu.Lock()
	n := min(len(items), max-len(b.items))
	if b.closed || n < 0 {
		n = 0
	}
	b.items = append(b.items, items[:n]...)
	b.waiting.Add(int64(n)) // under the lock: take must never subtract first
	b.mu.Unlock()
	if n > 0 {
		b.wake()
	}
	return n
}

// call leaves a function to run on the loop; false when the loop has ended.
func (b *inbox) call(f func()) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.calls = append(b.calls, f)
	b.waiting.Add(1)
	b.mu.Unlock()
	b.wake()
	return true
}

// wake goes raw without a budget of the caller's: there is at most one per
// sleep of the loop, so it can never become a row of raw calls.
func (b *inbox) wake() {
	if b.sleeping.Load() == 1 && b.sleeping.CompareAndSwap(1, 0) {
		var budget rawsys.Budget
		budget.Reset()
		b.waker.Wake(&budget)
	}
}

// park announces sleep; false when something came in meanwhile.
func (b *inbox) park() bool {
	b.sleeping.Store(1)
	if b.waiting.Load() > 0 {
		b.sleeping.Store(0)
		return false
	}
	return true
}

// take swaps the waiting items for the emptied spare slice.
func (b *inbox) take(spare []Item) (items []Item, calls []func()) {
	if b.waiting.Load() == 0 {
		return spare[:0], nil
	}
	b.mu.Lock()
	items, calls = b.items, b.calls
	b.items, b.calls = spare[:0], nil
	b.waiting.Add(-int64(len(items) + len(calls)))
	b.mu.Unlock()
	return items, calls
}

// close refuses all further work and returns what was left.
func (b *inbox) close() ([]Item, []func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	items, calls := b.items, b.calls
	b.items, b.calls = nil, nil
	return items, calls
}
