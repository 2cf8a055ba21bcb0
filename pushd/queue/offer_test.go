package queue

import (
	"slices"
	"testing"
	"unsafe"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

func TestRecordsStaySmall(t *testing.T) {
	if n := unsafe.Sizeof(Q{}); n != 40 {
		t.Errorf("Q is %d bytes; its comment says 40", n)
	}
	if n := unsafe.Sizeof(Node{}); n != 24 {
		t.Errorf("Node is %d bytes; its comment says 24", n)
	}
}

// A queue of three gets a fourth message under each policy.
func TestPolicyOfAFullQueue(t *testing.T) {
	f := func(p push.Policy, partly bool, key uint32, want push.DropReason, left ...uint32) {
		t.Helper()
		b := newBench(t, 100, "queue.messages_max", "3")
		b.policy(push.ClassNormal, p)
		var q Q
		for i := range uint32(3) {
			b.set.Offer(&q, 1, b.message(10, slab.Meta{Key: i + 1}), 0, 0)
		}
		if partly {
			q.HeadOff = 1
		}
		got := b.set.Offer(&q, 1, b.message(10, slab.Meta{Key: key}), 0, 0)
		if got != want || !slices.Equal(b.seqs(&q), left) {
			t.Errorf("%s, partly %v, key %d: %s and %v wait, want %s and %v", p, partly, key, got, b.seqs(&q), want, left)
		}
		b.set.Discard(&q, 1, push.DropClosed)
		b.close()
	}
	f(push.PolicyDropOldest, false, 0, push.DropNone, 2, 3, 4)
	f(push.PolicyDropOldest, true, 0, push.DropNone, 1, 3, 4)
	f(push.PolicyDropNewest, false, 0, push.DropOverflow, 1, 2, 3)
	f(push.PolicyDropNewest, true, 0, push.DropOverflow, 1, 2, 3)
	f(push.PolicyDisconnect, false, 0, push.DropDisconnect, 1, 2, 3)
	f(push.PolicyCoalesce, false, 0, push.DropNone, 2, 3, 4)
	f(push.PolicyCoalesce, false, 2, push.DropNone, 1, 3, 4)
	f(push.PolicyCoalesce, true, 1, push.DropNone, 1, 3, 4)  // the partly written one stays, the next oldest goes
	f(push.PolicyCoalesce, false, 9, push.DropNone, 2, 3, 4) // no such key: the oldest goes
	// A key means something with the policy coalesce only.
	f(push.PolicyDropOldest, false, 2, push.DropNone, 2, 3, 4)
	f(push.PolicyDropNewest, false, 2, push.DropOverflow, 1, 2, 3)
	f(push.PolicyDisconnect, false, 2, push.DropDisconnect, 1, 2, 3)
}

func TestMessageThatCanNeverFitDropsNoOther(t *testing.T) {
	b := newT(t, "queue.bytes_max", "1KiB")
	var q Q
	for range 3 {
		b.set.Offer(&q, 1, b.message(100, slab.Meta{}), 0, 0)
	}
	if r := b.set.Offer(&q, 1, b.message(1025, slab.Meta{}), 0, 0); r != push.DropOverflow || q.Count != 3 {
		t.Errorf("too large: %s, %d of 3 wait", r, q.Count)
	}
	q.HeadOff = 50
	if r := b.set.Offer(&q, 1, b.message(1000, slab.Meta{}), 0, 0); r != push.DropOverflow || q.Count != 3 {
		t.Errorf("too large beside the partly written head: %s, %d of 3 wait", r, q.Count)
	}
	q.HeadOff = 0
	if r := b.set.Offer(&q, 1, b.message(1000, slab.Meta{}), 0, 0); r != push.DropNone || q.Count != 1 {
		t.Errorf("as large as the queue: %s, %d wait, want it alone", r, q.Count)
	}
	b.set.Discard(&q, 1, push.DropClosed)
}

func TestNodesUsedUpDropsWithReasonMemory(t *testing.T) {
	b := newBench(t, 4) // node 0 is none
	var q Q
	for i := range 5 {
		want := push.DropNone
		if i >= 3 {
			want = push.DropMemory
		}
		if r := b.set.Offer(&q, 1, b.message(8, slab.Meta{}), 0, 0); r != want {
			t.Errorf("message %d: %s, want %s", i, r, want)
		}
	}
	b.set.Pop(&q)
	if r := b.set.Offer(&q, 1, b.message(8, slab.Meta{}), 0, 0); r != push.DropNone {
		t.Errorf("after a pop: %s", r)
	}
	b.set.Discard(&q, 1, push.DropClosed)
	b.close()
}

func TestTimeToLive(t *testing.T) {
	f := func(deadline, now uint32, partly, want bool) {
		t.Helper()
		b := newBench(t, 10)
		var q Q
		b.set.Offer(&q, 1, b.message(8, slab.Meta{Deadline: deadline}), 0, 0)
		if partly {
			q.HeadOff = 1
		}
		if got := b.set.First(&q, 1, now) != nil; got != want {
			t.Errorf("deadline %d at %d, partly %v: sent %v, want %v", deadline, now, partly, got, want)
		}
		if n := b.set.Dropped[push.DropTTL]; (n == 0) != want {
			t.Errorf("deadline %d at %d: %d dropped", deadline, now, n)
		}
		b.set.Discard(&q, 1, push.DropClosed)
		b.close()
	}
	f(0, 1<<31, false, true)
	f(100, 99, false, true)
	f(100, 100, false, false)
	f(100, 101, false, false)
	f(100, 101, true, true)
	f(1<<32-10, 1<<32-11, false, true) // the clock wraps
	f(1<<32-10, 5, false, false)
	f(5, 1<<32-10, false, true)
}

func TestResetBeginsAnew(t *testing.T) {
	b := newT(t)
	var q Q
	b.set.Offer(&q, 2, b.message(8, slab.Meta{}), 7, 3)
	b.set.Account(&q, 2, 0, 0, 3)
	if at, ok := b.set.Oldest(&q); !ok || at != 3 || b.cols.Queued[2] != 1 || b.set.Window(&q) == nil {
		t.Fatalf("oldest %d %v, column %d", at, ok, b.cols.Queued[2])
	}
	b.set.Reset(&q, 2)
	if q != (Q{}) || b.cols.Queued[2] != 0 || b.cols.WinOf[2] != 0 {
		t.Errorf("after Reset: %+v, column %d", q, b.cols.Queued[2])
	}
	if _, ok := b.set.OldestRacy(&q); ok {
		t.Error("an empty queue has an oldest message")
	}
}
