package stats

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pushfleet/internal/push"
)

const million = 1 << 20

// millionColumns has a million connections with a window each; 1 in 1000 has a
// queue. With even, all receive the same 1 message per second, written by
// broadcasts that walk them in order.
func millionColumns(b *testing.B, linked, even bool) *testColumns {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	c := newTestColumns(0, million+1, linked)
	for slot := uint32(1); slot <= million; slot++ {
		c.open(slot, 1, push.ProtoWS)
		at := uint64(100_000 + slot/1000) // the last walk took a second
		n := uint32(rng.ExpFloat64() * 20)
		queued := uint32(0)
		if slot%1000 == 0 {
			queued = rng.Uint32N(1000)
		}
		if even {
			for back := uint64(30_000); back > 0; back -= 10_000 {
				c.touch(slot, at-back, 10, 10, 2000, queued)
			}
			n = 10
		}
		c.touch(slot, at, n, n, n*200, queued)
	}
	return c
}

func BenchmarkTop20OfMillion(b *testing.B) {
	for _, even := range []bool{false, true} {
		for _, linked := range []bool{true, false} {
			c := millionColumns(b, linked, even)
			srcs := []Source{{Cols: c.Columns, QueueMax: func() int { return 1024 }}}
			for _, by := range allBy {
				for _, window := range []int{1, 10, 100} {
					if window != 10 && by != ByIn {
						continue
					}
					b.Run(fmt.Sprintf("even=%v/linked=%v/by=%s/window=%d", even, linked, by, window), func(b *testing.B) {
						var s Scanner
						b.ReportAllocs()
						for range b.N {
							s.Top(Query{By: by, Window: window, N: 20}, 101_500, srcs)
						}
					})
				}
			}
		}
	}
}

func BenchmarkTop1000OfMillion(b *testing.B) {
	c := millionColumns(b, true, false)
	srcs := []Source{{Cols: c.Columns}}
	for _, by := range []By{ByQueued, ByWait, ByIn} {
		b.Run(by.String(), func(b *testing.B) {
			var s Scanner
			for range b.N {
				s.Top(Query{By: by, Window: 10, N: 1000}, 101_500, srcs)
			}
		})
	}
}

func BenchmarkTop20OfMillionWhere(b *testing.B) {
	c := millionColumns(b, true, false)
	srcs := []Source{{Cols: c.Columns, Fill: fillUser}}
	f := func(name string, by By, where string) {
		b.Run(name, func(b *testing.B) {
			var s Scanner
			w := mustWhere(b, where)
			for range b.N {
				s.Top(Query{By: by, Window: 10, N: 20, Where: w}, 101_500, srcs)
			}
		})
	}
	f("most pass", ByQueued, "out > 0")
	f("few pass", ByQueued, `user endsWith "7000"`)
	f("none of a million passes", ByIn, "queued < 0")
}

// An owner updates at full speed on the other core; its own rate is reported
// too, to see whether queries slow it down.
func BenchmarkTop20OfMillionUnderLoad(b *testing.B) {
	for _, by := range []By{ByQueued, ByWait, ByIn} {
		b.Run(by.String(), func(b *testing.B) {
			c := millionColumns(b, true, false)
			srcs := []Source{{Cols: c.Columns}}
			stop, done := make(chan struct{}), make(chan uint64)
			go func() { done <- update(c, stop) }() // ends with stop
			var s Scanner
			b.ResetTimer()
			for range b.N {
				s.Top(Query{By: by, Window: 10, N: 20}, 102_000, srcs)
			}
			seconds := b.Elapsed().Seconds()
			close(stop)
			b.ReportMetric(float64(<-done)/seconds/1e6, "Mupdates/s")
		})
	}
}

// update does what a loop does for each message of a random connection.
func update(c *testColumns, stop chan struct{}) (n uint64) {
	rng := rand.New(rand.NewPCG(3, 4))
	for {
		select {
		case <-stop:
			return n
		default:
		}
		now := 102_000 + n/200_000
		for range 1000 {
			slot := rng.Uint32N(million) + 1
			win := c.win[slot] - 1
			w := &c.Win[win]
			w.Add(uint32(now), 1, 1, 200, 0, 0)
			c.SetKeys(win, w.Keys(now))
			n++
		}
	}
}

func BenchmarkUpdaterAlone(b *testing.B) {
	c := millionColumns(b, true, false)
	rng := rand.New(rand.NewPCG(3, 4))
	b.ResetTimer()
	for i := range b.N {
		slot := rng.Uint32N(million) + 1
		win := c.win[slot] - 1
		w := &c.Win[win]
		w.Add(uint32(102_000+i/200_000), 1, 1, 200, 0, 0)
		c.SetKeys(win, w.Keys(uint64(102_000+i/200_000)))
	}
}

func BenchmarkWhereMatch(b *testing.B) {
	w := mustWhere(b, `queued > 100 and (wait > 5s or drops > 0) and user startsWith "u-"`)
	var s Scanner
	s.row.Queued, s.row.Drops, s.row.User = 500, 1, "u-1"
	b.ReportAllocs()
	for range b.N {
		w.Match(&s.row)
	}
}

func BenchmarkClosedAdd(b *testing.B) {
	c := NewClosed(1000)
	b.ReportAllocs()
	for range b.N {
		c.Add(ClosedConn{Reason: push.CloseGone, User: "u-1"})
	}
}
