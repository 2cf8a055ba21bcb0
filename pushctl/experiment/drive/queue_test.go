package drive

import (
	"math/rand/v2"
	"testing"

	"pushfleet/internal/teewire"
)

// What comes out is in order of time as far as it had come in, each source in
// its own order, and nothing is lost.
func TestQueueMergesSources(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	q := newQueue()
	var ats [5]int64
	var next, seen [5]uint64
	pushed, popped, bytes := 0, 0, 0
	for range 20_000 {
		if rng.IntN(2) == 0 {
			s := rng.IntN(len(ats))
			ats[s] += int64(rng.IntN(10))
			rec := record{at: ats[s], conn: uint64(s), kind: teewire.KindOut, queued: uint32(next[s]), size: rng.IntN(100)}
			first, any := q.first()
			if now := q.push(uint32(s), rec); now != (!any || rec.at < first) && rec.at != first {
				t.Fatalf("pushed %d, first was %d: earliest is %v", rec.at, first, now)
			}
			next[s]++
			pushed++
			bytes += rec.size
			continue
		}
		until := ats[rng.IntN(len(ats))]
		first, any := q.first()
		rec, ok := q.pop(until)
		if ok != (any && first <= until) || ok && rec.at != first {
			t.Fatalf("first %d, until %d: got %d, %v", first, until, rec.at, ok)
		}
		if ok {
			if uint64(rec.queued) != seen[rec.conn] {
				t.Fatalf("source %d: record %d came as number %d", rec.conn, rec.queued, seen[rec.conn])
			}
			seen[rec.conn]++
			popped++
			bytes -= rec.size
		}
	}
	if q.total != pushed-popped || q.n[teewire.KindOut] != uint64(q.total) || q.bytes != bytes {
		t.Errorf("%d left with %d bytes, want %d with %d", q.total, q.bytes, pushed-popped, bytes)
	}
}

func TestQueueBoundsSources(t *testing.T) {
	q := newQueue()
	for i := range uint32(3 * sourcesMax) {
		q.push(i, record{at: int64(i), kind: teewire.KindOut})
	}
	if len(q.sources) > sourcesMax+1 || q.total != 3*sourcesMax {
		t.Errorf("%d sources hold %d records", len(q.sources), q.total)
	}
	n := 0
	for {
		if _, ok := q.pop(1 << 40); !ok {
			break
		}
		n++
	}
	if n != 3*sourcesMax {
		t.Errorf("%d came out", n)
	}
}
