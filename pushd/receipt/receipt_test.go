package receipt

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/push"
)

func TestSettleCounts(t *testing.T) {
	tab := NewTable(4)
	r := tab.Open()
	r.Expect(10)
	tab.Settle(r.ID(), push.DropNone, 6)
	tab.Settle(r.ID(), push.DropOverflow, 3)
	r.Count(push.DropDuplicate, 2)
	got := r.Counts()
	if got.Pending != 1 || got.Delivered != 6 || got.Dropped[push.DropOverflow] != 3 || got.Dropped[push.DropDuplicate] != 2 {
		t.Fatalf("counts = %+v", got)
	}
	r.Settle(push.DropInboxFull, 1)
	if got = r.Counts(); got.Pending != 0 || got.Dropped[push.DropInboxFull] != 1 {
		t.Fatalf("counts = %+v", got)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Fatalf("Wait with nothing pending: %v", err)
	}
}

func TestBroadcastItem(t *testing.T) {
	tab := NewTable(1)
	r := tab.Open()
	r.Expect(1)
	tab.Count(r.ID(), push.DropNone, 64)
	tab.Count(r.ID(), push.DropOverflow, 1)
	if c := r.Counts(); c.Pending != 1 || c.Delivered != 64 {
		t.Fatalf("in the middle: %+v", c)
	}
	tab.Finish(r.ID(), 1)
	if c := r.Counts(); c.Pending != 0 || c.Delivered != 64 || c.Dropped[push.DropOverflow] != 1 {
		t.Fatalf("at the end: %+v", c)
	}
}

func TestLateSettleHitsNothing(t *testing.T) {
	tab := NewTable(1)
	old := tab.Open()
	old.Expect(5)
	old.Close()
	tab.Settle(old.ID(), push.DropNone, 2) // while the slot rests
	r := tab.Open()
	if r == nil || r.ID() == old.ID() {
		t.Fatalf("reopened as %v, want another id than %#x", r, old.ID())
	}
	r.Expect(5)
	tab.Settle(old.ID(), push.DropNone, 3)
	tab.Settle(0, push.DropNone, 3)
	if c := r.Counts(); c.Pending != 5 || c.Delivered != 0 {
		t.Fatalf("a late settle reached the next receipt: %+v", c)
	}
	old.Close()
	if tab.Opened() != 1 {
		t.Fatalf("closing twice: %d open, want 1", tab.Opened())
	}
}

func TestBound(t *testing.T) {
	tab := NewTable(2)
	a, b := tab.Open(), tab.Open()
	if tab.Open() != nil {
		t.Fatal("a third receipt was opened in a table of two")
	}
	a.Close()
	if c := tab.Open(); c == nil || c.ID() == b.ID() {
		t.Fatal("a closed receipt's place is not free")
	}
	var nobody *Receipt
	nobody.Expect(1)
	nobody.Close()
	if nobody.ID() != 0 || nobody.Pending() != 0 {
		t.Fatal("a nil receipt must be nobody")
	}
}

func TestGenerationWraps(t *testing.T) {
	tab := NewTable(1)
	for range genMask + 10 {
		r := tab.Open()
		if r.ID() == 0 {
			t.Fatal("an id of 0")
		}
		r.Expect(1)
		tab.Settle(r.ID(), push.DropNone, 1)
		if c := r.Counts(); c.Delivered != 1 || c.Pending != 0 {
			t.Fatalf("id %#x: %+v", r.ID(), c)
		}
		r.Close()
	}
}

func TestWaitHeedsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewTable(1).Open()
		r.Expect(1)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Wait = %v, want a deadline", err)
		}
		go r.Settle(push.DropNone, 1)
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Loops settle while publishers open, wait and close; closed ones are settled
// again at any time.
func TestConcurrent(t *testing.T) {
	tab := NewTable(3)
	jobs := make(chan uint32, 64)
	var closed atomic.Uint32
	var loops, pubs sync.WaitGroup
	for range 3 {
		loops.Go(func() {
			for id := range jobs {
				for range 10 {
					tab.Settle(id, push.DropNone, 1)
					tab.Settle(closed.Load(), push.DropOverflow, 1)
				}
			}
		})
	}
	for range 3 {
		pubs.Go(func() {
			for range 300 {
				r := tab.Open()
				r.Expect(40)
				for range 4 {
					jobs <- r.ID()
				}
				if err := r.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				if c := r.Counts(); c.Delivered != 40 || c.Dropped[push.DropOverflow] != 0 {
					t.Errorf("delivered %d, late %d; want 40 and 0", c.Delivered, c.Dropped[push.DropOverflow])
					return
				}
				r.Close()
				closed.Store(r.ID())
			}
		})
	}
	pubs.Wait()
	close(jobs)
	loops.Wait()
	if tab.Opened() != 0 {
		t.Errorf("%d receipts left open", tab.Opened())
	}
}
