package stats

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"pushfleet/internal/decay"
	"pushfleet/internal/push"
)

// bench is columns in heap memory with a way to update them that the race
// detector accepts.
type testColumns struct {
	*Columns
	free []uint32 // windows
	win  []uint32 // window+1 by slot
}

func newTestColumns(loop, slots int, linked bool) *testColumns {
	c := &Columns{Loop: loop,
		Ident: make([]uint32, slots), Queued: make([]uint32, slots), QBytes: make([]uint32, slots),
		Drops: make([]uint32, slots), RTT: make([]uint32, slots),
		Win: make([]decay.Windows, slots), Keys: make([]decay.Keys, slots), Owner: make([]uint32, slots)}
	if linked {
		c.WinOf = make([]uint32, slots)
	}
	t := &testColumns{Columns: c, win: make([]uint32, slots)}
	for i := slots - 1; i > 0; i-- {
		t.free = append(t.free, uint32(i))
	}
	return t
}

func (t *testColumns) open(slot uint32, gen uint16, p push.Proto) {
	t.SetIdent(slot, Ident(gen, p, 2))
	if t.Used.Load() <= slot {
		t.Used.Store(slot + 1)
	}
}

func (t *testColumns) close(slot uint32) {
	t.ClearSlot(slot)
	if w := t.win[slot]; w != 0 {
		t.SetOwner(w-1, 0)
		t.SetKeys(w-1, decay.Keys{})
		t.win[slot] = 0
		t.free = append(t.free, w-1)
	}
}

// touch counts in, out and bytes and leaves queued messages.
func (t *testColumns) touch(slot uint32, nowMs uint64, in, out, bytes, queued uint32) {
	if t.win[slot] == 0 {
		w := t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
		t.win[slot] = w + 1
		(&t.Win[w]).Store(&decay.Windows{At: uint32(nowMs)})
		t.SetOwner(w, slot+1)
		if t.WinUsed.Load() <= w {
			t.WinUsed.Store(w + 1)
		}
	}
	w := t.win[slot] - 1
	rec := t.Win[w].Load()
	rec.Add(uint32(nowMs), in, out, bytes, atomic.LoadUint32(&t.Queued[slot]), queued)
	(&t.Win[w]).Store(&rec)
	t.SetKeys(w, rec.Keys(nowMs))
	t.SetQueued(slot, queued, queued*bytes)
}

// randomColumns opens n of slots connections and gives 7 of 8 some traffic at
// various times before nowMs; many share the same rates.
func randomColumns(rng *rand.Rand, loop, slots int, linked bool, nowMs uint64) *testColumns {
	t := newTestColumns(loop, slots, linked)
	order := rng.Perm(slots - 1)
	for _, i := range order {
		slot := uint32(i + 1)
		t.open(slot, uint16(rng.IntN(1000)+1), push.Proto(rng.IntN(4)+1))
		if rng.IntN(3) == 0 {
			t.SetDrops(slot, rng.Uint32N(100))
			t.SetRTT(slot, rng.Uint32N(500_000))
		}
		if rng.IntN(8) == 0 {
			continue
		}
		at := nowMs - uint64(rng.IntN(400_000))
		for range rng.IntN(6) + 1 {
			at = min(at+uint64(rng.IntN(4000)), nowMs)
			queued := uint32(0)
			if rng.IntN(3) == 0 {
				queued = rng.Uint32N(50)
			}
			t.touch(slot, at, rng.Uint32N(8), rng.Uint32N(8), rng.Uint32N(1000), queued)
		}
	}
	for range slots / 20 {
		t.close(uint32(rng.IntN(slots-1) + 1))
	}
	return t
}

func TestSetOwnerKeepsTheWayBack(t *testing.T) {
	c := newTestColumns(0, 10, true)
	c.SetOwner(3, 7+1)
	if c.WinOf[7] != 3+1 {
		t.Errorf("WinOf[7] = %d, want 4", c.WinOf[7])
	}
	c.SetOwner(3, 0)
	if c.WinOf[7] != 0 || c.Owner[3] != 0 {
		t.Errorf("after freeing: WinOf[7] = %d, Owner[3] = %d", c.WinOf[7], c.Owner[3])
	}
}

func TestBlocksVisitAllOnce(t *testing.T) {
	for _, n := range []uint32{0, 1, 4095, 4096, 4097, 8192, 5 * blockLen, 16 * blockLen, 99_991} {
		seen := make([]bool, n)
		blocks(n, func(from, to uint32) {
			for i := from; i < to; i++ {
				if seen[i] {
					t.Fatalf("%d of %d visited twice", i, n)
				}
				seen[i] = true
			}
		})
		for i, ok := range seen {
			if !ok {
				t.Fatalf("%d of %d not visited", i, n)
			}
		}
	}
}
