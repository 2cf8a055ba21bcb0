// Package receipt is pushd's table of pending receipts: a publisher opens one,
// the loops settle what became of each connection it was sent to, the
// publisher reads the counts or waits for the last of them. It knows nothing of
// messages, users or sockets.
package receipt

import (
	"sync"
	"sync/atomic"

	"pushfleet/internal/push"
)

// An id is a generation above a slot number. Every counter word carries the
// low genWordBits of the same generation above its count, so that testing the
// generation and adding is one compare-and-swap, and whoever comes late hits
// nothing.
const (
	slotBits  = 12
	slotMask  = 1<<slotBits - 1
	countBits = 40
	countMask = 1<<countBits - 1
	genMask   = 1<<(32-slotBits) - 1

	// OpenMax is the most receipts that can be open at once.
	OpenMax = 1 << slotBits
)

// Table holds the open receipts of a node. All methods may be called from any
// goroutine.
type Table struct {
	slots []slot

	mu   sync.Mutex
	free []uint32 // used as a queue, so that a slot rests as long as possible
	open int
}

type slot struct {
	id      uint32        // owned by Table.mu
	pending atomic.Uint64 // generation | items not settled
	counts  [push.DropReasonCount]atomic.Uint64
	zero    chan struct{} // a token when pending has become 0
}

// NewTable returns a table for at most open receipts at once, itself at most
// OpenMax.
func NewTable(open int) *Table {
	open = max(1, min(open, OpenMax))
	t := &Table{slots: make([]slot, open), free: make([]uint32, open)}
	for i := range t.slots {
		t.free[i] = uint32(i)
		t.slots[i].zero = make(chan struct{}, 1)
	}
	return t
}

// Open returns a new receipt with nothing pending, or nil when as many as the
// table holds are open.
func (t *Table) Open() *Receipt {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		return nil
	}
	i := t.free[0]
	t.free = t.free[1:]
	s := &t.slots[i]
	gen := (s.id>>slotBits + 1) & genMask
	if gen == 0 { // id 0 means that nobody asks
		gen = 1
	}
	s.id = gen<<slotBits | i
	s.reset(gen)
	t.open++
	return &Receipt{t: t, s: s, id: s.id}
}

// Opened returns the number of open receipts.
func (t *Table) Opened() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

// Settle says what became of n items of receipt id: delivered when reason is
// push.DropNone. An id of 0 or of a closed receipt is ignored.
func (t *Table) Settle(id uint32, reason push.DropReason, n uint32) {
	if s, gen := t.slot(id); s != nil && s.count(gen, reason, n) {
		s.finish(gen, n)
	}
}

// Count is Settle without the items ceasing to be pending: for the connections
// reached by one slice of a broadcast, whose one item is ended by Finish.
func (t *Table) Count(id uint32, reason push.DropReason, n uint32) {
	if s, gen := t.slot(id); s != nil {
		s.count(gen, reason, n)
	}
}

// Finish ends n items without counting anything.
func (t *Table) Finish(id uint32, n uint32) {
	if s, gen := t.slot(id); s != nil {
		s.finish(gen, n)
	}
}

func (t *Table) slot(id uint32) (*slot, uint64) {
	i := id & slotMask
	if id == 0 || int(i) >= len(t.slots) {
		return nil, 0
	}
	return &t.slots[i], uint64(id >> slotBits)
}

func (t *Table) close(r *Receipt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.s.id != r.id { // closed before
		return
	}
	i := r.id & slotMask
	// A generation of its own while the slot rests: nothing settles it.
	r.s.id = (r.id>>slotBits+1)&genMask<<slotBits | i
	r.s.reset(r.s.id >> slotBits)
	t.free = append(t.free, i)
	t.open--
}

// reset gives every word the generation and a count of 0.
func (s *slot) reset(gen uint32) {
	for i := range s.counts {
		s.counts[i].Store(uint64(gen) << countBits)
	}
	s.pending.Store(uint64(gen) << countBits)
}

// count adds n to a reason's word if that is still of generation gen.
func (s *slot) count(gen uint64, reason push.DropReason, n uint32) bool {
	w := &s.counts[min(reason, push.DropReasonCount-1)]
	for {
		old := w.Load()
		if old>>countBits != gen {
			return false
		}
		if w.CompareAndSwap(old, old+uint64(n)) {
			return true
		}
	}
}

// finish takes n from what is pending, at most all of it, and leaves a token
// for the waiting when nothing is left.
func (s *slot) finish(gen uint64, n uint32) {
	for {
		old := s.pending.Load()
		left := old & countMask
		if old>>countBits != gen || left == 0 {
			return
		}
		take := min(left, uint64(n))
		if !s.pending.CompareAndSwap(old, old-take) {
			continue
		}
		if take == left {
			select {
			case s.zero <- struct{}{}:
			default:
			}
		}
		return
	}
}
