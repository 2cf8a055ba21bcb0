package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"pushfleet/internal/decay"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

var allBy = []By{ByQueued, ByBytes, ByWait, ByDrain, ByIn, ByOut, ByDrops, ByRTT}

// bruteForce describes every connection and sorts.
func bruteForce(q Query, nowMs uint64, srcs []Source) (scores []uint64) {
	s := Scanner{q: q, win: decay.Index(q.Window), now: nowMs, srcs: srcs}
	for i := range srcs {
		c := srcs[i].Cols
		winOf := map[uint32]uint32{}
		for w, o := range c.Owner {
			if o != 0 {
				winOf[o-1] = uint32(w) + 1
			}
		}
		for slot, ident := range c.Ident {
			if !live(ident) {
				continue
			}
			var row pushdapi.ConnRow
			s.describe(&entry{src: uint32(i), slot: uint32(slot), win: winOf[uint32(slot)], ident: ident}, &row, nil)
			score := rowScore(q.By, &row)
			if (q.By == ByWait || q.By == ByDrain) && winOf[uint32(slot)] == 0 {
				score = 0
			}
			if (q.By == ByIn || q.By == ByOut) && floatOf(score) <= fadedShare/decay.Tau(s.win) {
				score = 0
			}
			if score > 0 && (q.Where == nil || q.Where.Match(&row)) {
				scores = append(scores, score)
			}
		}
	}
	slices.Sort(scores)
	slices.Reverse(scores)
	return scores[:min(q.N, len(scores))]
}

func TestTopAgreesWithBruteForce(t *testing.T) {
	const now = uint64(1)<<33 + 500_000
	where := mustWhere(t, `queued > 3 and (proto == "ws" or in > 0.5 or user endsWith "7")`)
	for _, linked := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(42, 43))
		srcs := []Source{
			{Cols: randomColumns(rng, 0, 5000, linked, now).Columns, QueueMax: func() int { return 64 }, Fill: fillUser},
			{Cols: newTestColumns(1, 10, linked).Columns},
			{Cols: randomColumns(rng, 2, 1500, linked, now).Columns, QueueMax: func() int { return 10 }, Fill: fillUser},
		}
		for _, by := range allBy {
			for _, window := range []int{1, 10, 100} {
				for _, w := range []*Where{nil, where} {
					want := bruteForce(Query{By: by, Window: window, N: RowsMax, Where: w}, now, srcs)
					for _, n := range []int{1, 20, RowsMax} {
						q := Query{By: by, Window: window, N: n, Where: w}
						compare(t, q, Top(q, now, srcs), want[:min(n, len(want))])
					}
				}
			}
		}
	}
}

// compare holds the rows to the right scores; rates may differ by 0.1 %.
func compare(t *testing.T, q Query, top pushdapi.Top, want []uint64) {
	t.Helper()
	name := fmt.Sprintf("by %s over %d s, %d rows, where %v", q.By, q.Window, q.N, q.Where != nil)
	if len(want) == 0 {
		t.Fatalf("%s: nothing to find", name)
	}
	if len(top.Rows) != len(want) {
		t.Errorf("%s: %d rows, want %d", name, len(top.Rows), len(want))
		return
	}
	for i := range want {
		got := rowScore(q.By, &top.Rows[i])
		if q.By == ByIn || q.By == ByOut {
			if g, w := floatOf(got), floatOf(want[i]); math.Abs(g-w) > 0.001*w {
				t.Errorf("%s: row %d has %v, want %v", name, i, g, w)
				return
			}
		} else if got != want[i] {
			t.Errorf("%s: row %d (%+v) has score %d, want %d", name, i, top.Rows[i], got, want[i])
			return
		}
	}
}

func fillUser(h push.Handle, row *pushdapi.ConnRow) { row.User = fmt.Sprintf("u-%d", h.Slot()) }

func mustWhere(t testing.TB, text string) *Where {
	w, err := ParseWhere(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTopCounts(t *testing.T) {
	c := newTestColumns(3, 6000, true)
	for slot := uint32(1); slot <= 5000; slot++ {
		c.open(slot, 7, push.ProtoSSE)
	}
	c.touch(4321, 1000, 5, 1, 100, 4)
	c.touch(17, 1000, 5, 3, 100, 2)
	c.close(5000)
	top := Top(Query{By: ByQueued, Node: "gw-1"}, 1500, []Source{{Cols: c.Columns}})
	if top.Connections != 4999 || top.WithQueue != 2 || len(top.Rows) != 2 || top.Node != "gw-1" || top.Window != 10 || top.By != "queued" {
		t.Fatalf("got %+v", top)
	}
	if r := top.Rows[0]; r.Conn != push.MakeHandle(0, 3, 4321, 7).String() || r.Proto != "sse" || r.Queued != 4 || r.Bytes != 400 {
		t.Errorf("first row %+v", r)
	}
}

// A connection that reuses a slot while the answer is put together must not
// appear under the name of the old one, nor the old one at all.
func TestTopLeavesOutWhatIsGone(t *testing.T) {
	c := newTestColumns(0, 100, true)
	for slot := uint32(1); slot < 50; slot++ {
		c.open(slot, 1, push.ProtoWS)
		c.touch(slot, 1000, 9, 0, 10, slot)
	}
	fill := func(h push.Handle, row *pushdapi.ConnRow) {
		if h.Slot() == 49 {
			c.close(49)
			c.open(49, 2, push.ProtoWS)
		}
	}
	top := Top(Query{By: ByQueued, N: 2}, 2000, []Source{{Cols: c.Columns, Fill: fill}})
	if len(top.Rows) != 1 || top.Rows[0].Queued != 48 {
		t.Errorf("got %+v, want only the connection with 48 queued", top.Rows)
	}
}

func TestTopCorrectsForAge(t *testing.T) {
	c := newTestColumns(0, 10, true)
	c.open(1, 1, push.ProtoWS) // 1 s old, 100/s
	c.open(2, 1, push.ProtoWS) // old, 20/s
	for ms := uint64(100_000); ms < 101_000; ms += 10 {
		c.touch(1, ms, 1, 1, 10, 0)
	}
	for ms := uint64(0); ms < 101_000; ms += 50 {
		c.touch(2, ms, 1, 1, 10, 0)
	}
	age := func(slot uint32) uint32 {
		if slot == 1 {
			return 1000
		}
		return 101_000
	}
	top := Top(Query{By: ByIn, Window: 10}, 101_000, []Source{{Cols: c.Columns, Age: age}})
	if r := top.Rows; len(r) != 2 || math.Abs(r[0].In-100) > 2 || r[0].AgeSeconds != 1 || math.Abs(r[1].In-20) > 0.5 {
		t.Errorf("got %+v, want 100/s of the young one before 20/s", r)
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const now = 600_000
	for _, linked := range []bool{true, false} {
		srcs := []Source{{Cols: randomColumns(rng, 0, 9_000, linked, now).Columns, QueueMax: func() int { return 50 }}}
		var s Scanner
		for _, by := range allBy {
			for _, window := range []int{1, 10, 100} {
				q := Query{By: by, Window: window, N: 20}
				if n := testing.AllocsPerRun(5, func() { s.scan(q, now, srcs) }); n != 0 {
					t.Errorf("by %s over %d s, linked %v: %v allocations per scan", by, window, linked, n)
				}
			}
		}
	}
}

// Queries run while the owner updates, opens and closes; under the race
// detector this also proves that every access is atomic.
func TestTopWhileTheOwnerWrites(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var now atomic.Uint64
	now.Store(500_000)
	c := randomColumns(rng, 0, 12_000, true, 500_000)
	const hot = uint32(6_000)
	c.close(hot)
	c.open(hot, 77, push.ProtoWS)
	c.touch(hot, 500_000, 50_000, 20_000, 10, 60_000)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			ms := now.Add(1)
			for range 50 {
				slot := uint32(rng.IntN(11_000) + 1)
				switch {
				case slot == hot:
					c.touch(hot, ms, 500, 10, 10, 60_000)
				case rng.IntN(20) == 0:
					c.close(slot)
					c.open(slot, uint16(rng.IntN(1000)+1), push.ProtoWS)
				case live(c.Ident[slot]):
					c.touch(slot, ms, 1, 1, 10, rng.Uint32N(10))
				}
			}
		}
	}()
	srcs := []Source{{Cols: c.Columns, QueueMax: func() int { return 70_000 }, Fill: fillUser}}
	name := push.MakeHandle(0, 0, hot, 77).String()
	var s Scanner
	for range 20 {
		for _, by := range []By{ByQueued, ByBytes, ByIn, ByOut} {
			top := s.Top(Query{By: by, Window: 100, N: 5}, now.Load(), srcs)
			if len(top.Rows) == 0 || top.Rows[0].Conn != name {
				t.Errorf("by %s: first row %+v, want %s", by, top.Rows, name)
			}
		}
		for _, by := range []By{ByWait, ByDrain} {
			s.Top(Query{By: by, Window: 10, N: 5}, now.Load(), srcs)
		}
	}
	close(stop)
	<-done
}
