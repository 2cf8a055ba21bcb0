package queue

import (
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

func TestTrimGivesMemoryBackAndTheSetGoesOn(t *testing.T) {
	b := newBench(t, 4*trimAbove, "queue.messages_max", "65536", "queue.bytes_max", "1GiB")
	var qs [2]Q
	used := func() int64 {
		t.Helper()
		n, err := b.set.mapping.Used()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	fill := func() {
		ref := b.message(1, slab.Meta{})
		for i := range qs {
			for range trimAbove {
				b.msgs.Retain(ref, 1)
				b.set.Offer(&qs[i], uint32(i+1), ref, 0, 0)
			}
		}
		b.msgs.Release(ref)
	}
	fill()
	full := used()
	if full < 2*trimAbove*24 {
		t.Fatalf("%d messages wait in %d bytes", b.set.Messages, full)
	}
	b.set.Discard(&qs[0], 1, push.DropClosed)
	b.set.Trim()
	if n := used(); n != full {
		t.Errorf("trimmed to %d bytes with messages waiting", n)
	}
	b.set.Discard(&qs[1], 2, push.DropClosed)
	b.set.Trim()
	if n := used(); n != 0 {
		t.Errorf("%d bytes stay after Trim", n)
	}
	fill()
	if int(b.set.Nodes()) != 2*trimAbove {
		t.Errorf("%d nodes after Trim, want %d", b.set.Nodes(), 2*trimAbove)
	}
	for i := range qs {
		b.set.Discard(&qs[i], uint32(i+1), push.DropClosed)
	}
	b.close()
}

func TestNothingAllocates(t *testing.T) {
	b := newT(t)
	var q Q
	now := uint32(0)
	ref := b.message(100, slab.Meta{})
	n := testing.AllocsPerRun(1000, func() {
		now++
		b.msgs.Retain(ref, 1)
		b.set.Offer(&q, 1, ref, 0, now)
		node := b.set.First(&q, 1, now)
		b.set.Pop(&q)
		b.set.Account(&q, 1, 1, node.Len, uint64(now))
	})
	if n != 0 {
		t.Errorf("offer, first, pop and account allocate %v times", n)
	}
	b.msgs.Release(ref)
	b.set.Discard(&q, 1, push.DropClosed)
}
