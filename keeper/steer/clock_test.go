package steer

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

func TestClockSlews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off time.Duration // of the wall clock
		start := time.Now()
		c := newClock(func() time.Time { return time.Now().Add(off) }, func() time.Duration { return time.Since(start) })
		at := func() time.Duration { return c.Now().Go().Sub(keeperapi.TimeOf(start).Go()) }
		f := func(leap, pass, want time.Duration) {
			t.Helper()
			off += leap
			time.Sleep(pass)
			if got := at(); got != want {
				t.Errorf("after a leap of %v and %v: %v, want %v", leap, pass, got, want)
			}
		}
		f(0, 10*time.Second, 10*time.Second)
		f(time.Hour, 20*time.Second, 31*time.Second)                                 // 20 s and 5 % of it
		f(-2*time.Hour, 20*time.Second, 50*time.Second)                              // 5 % less
		f(time.Hour, 20*time.Second, 70*time.Second)                                 // back where it was
		f(500*time.Millisecond, 20*time.Second, 90*time.Second+500*time.Millisecond) // caught up
	})
}

func TestClockNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now, mono := time.Unix(1_000_000, 0), time.Duration(0)
		c := newClock(func() time.Time { return now }, func() time.Duration { return mono })
		last := c.Now()
		for range 50 {
			passed := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(rt, "passed"))
			mono += passed
			now = now.Add(passed + time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(rt, "leap")))
			at := c.Now()
			if at < last || int64(at-last) > passed.Milliseconds()*21/20+2 {
				rt.Fatalf("from %d to %d in %v", last, at, passed)
			}
			last = at
		}
	})
}
