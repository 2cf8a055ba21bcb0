package swarm

import (
	"math/rand/v2"
	"testing"
)

func TestSlotQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q slotQueue
	next, first, most := uint32(0), uint32(0), 0
	for range 100_000 {
		if rng.IntN(1000) == 0 {
			for range rng.IntN(2000) {
				q.push(next)
				next++
			}
		}
		if q.empty() != (first == next) {
			t.Fatalf("empty is %v of %d", q.empty(), next-first)
		}
		if !q.empty() {
			if got := q.take(); got != first {
				t.Fatalf("took %d, want %d", got, first)
			}
			first++
		}
		if waiting := int(next - first); len(q.slots) > 2*waiting+1 {
			t.Fatalf("%d places for %d that wait", len(q.slots), waiting)
		}
		most = max(most, len(q.slots))
	}
	if most < 1000 {
		t.Errorf("only %d have waited", most)
	}
}

// Whoever is hung up while it waits has one place, however often it comes back.
func TestEachHasOnePlace(t *testing.T) {
	const waiting = 10
	w := waiters(waiting)
	w.counts.Connecting = int64(w.swarm.opts.HandshakesMax) // none may begin
	r := &Request{Users: []string{"u"}}
	for i := range uint32(1000) {
		slot := i % waiting
		w.hang(slot, &w.conns[slot], false)
		w.queueDial(slot, &w.conns[slot], r)
		w.dialQueued()
	}
	if n := len(w.dials.slots) - w.dials.head; n > waiting || len(w.requests) != waiting {
		t.Errorf("%d places for %d requests", n, len(w.requests))
	}
}
