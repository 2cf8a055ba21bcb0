package decay

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestWindowsIs64BytesWithoutPointers(t *testing.T) {
	if n := unsafe.Sizeof(Windows{}); n != 64 {
		t.Fatalf("Windows has %d bytes, want 64", n)
	}
	if n := unsafe.Sizeof(Keys{}); n != 16 {
		t.Fatalf("Keys has %d bytes, want 16", n)
	}
}

const tolerance = 0.001

// Any mix of gaps, from none to weeks, across the wrap of the ms clock. As
// steady state counts the highest rate that the sequence held over 100 s.
func TestAddAgreesWithExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.Uint64Range(0, 1<<34).Draw(t, "start")
		w, x := Windows{At: uint32(now)}, exact{at: now}
		steady := [5]float64{3: 1, 4: 1}
		var q uint32
		steps := rapid.IntRange(1, 300).Draw(t, "steps")
		for range steps {
			now += gapGen.Draw(t, "gap")
			in, out := rapid.Uint32Range(0, 50).Draw(t, "in"), rapid.Uint32Range(0, 50).Draw(t, "out")
			bytes := rapid.Uint32().Draw(t, "bytes")
			after := rapid.Uint32Range(0, 5000).Draw(t, "after")
			w.Add(uint32(now), in, out, bytes, q, after)
			x.add(now, in, out, bytes, q, after)
			q = after
			steady[0] = max(steady[0], x.in[2])
			steady[1] = max(steady[1], x.out[2])
			steady[2] = max(steady[2], x.bytes[2])
			if worst, where := x.worst(&w, now, q, steady); worst > tolerance {
				t.Fatalf("%s off by %.3f %%", where, worst*100)
			}
		}
	})
}

var gapGen = rapid.OneOf(
	rapid.Just(uint64(0)),
	rapid.Just(uint64(1)),
	rapid.Uint64Range(0, 20),
	rapid.Uint64Range(0, 5_000),
	rapid.SampledFrom([]uint64{1023, 1024, 1025, goneMs - 1, goneMs, goneMs + 1, 1 << 31, math.MaxUint32 - backMs}),
	rapid.Uint64Range(0, 21*24*3600*1000),
)

// Long steady loads, where rounding has the time to pile up. At 1000/s and
// above a float32 rounded to nearest is off by 0.3 to 5 %.
func TestAddDoesNotDriftUnderLoad(t *testing.T) {
	f := func(name string, perMs float64, n int, poisson bool) {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 11))
			now := uint64(1<<32 - 60_000) // wraps after a minute
			w, x := Windows{At: uint32(now)}, exact{at: now}
			clock, q := float64(now), uint32(0)
			steady := [5]float64{perMs * 1000, perMs * 1000, perMs * 1000 * 200, 500, 1000}
			for i := range n {
				step := 1 / perMs
				if poisson {
					step *= rng.ExpFloat64()
				}
				clock += step
				now = uint64(clock)
				after := uint32(i>>10) % 1000
				w.Add(uint32(now), 1, 1, 200, q, after)
				x.add(now, 1, 1, 200, q, after)
				q = after
				if i&0x3ff != 0 {
					continue
				}
				if worst, where := x.worst(&w, now, q, steady); worst > tolerance {
					t.Fatalf("after %d updates %s off by %.3f %%", i+1, where, worst*100)
				}
			}
		})
	}
	f("1 in 7 s", 1.0/7000, 20_000, true)
	f("9 per s", 0.009, 100_000, true)
	f("1000 per s, even", 1, 1_500_000, false)
	f("1000 per s, poisson", 1, 1_500_000, true)
	f("30,000 per s", 30, 1_500_000, true)
	f("300,000 per s", 300, 1_500_000, false)
}

func TestBurstInOneMillisecond(t *testing.T) {
	w := Windows{At: 5}
	x := exact{at: 5}
	for range 1_000_000 {
		w.Add(5, 1, 0, 0, 0, 0)
		x.add(5, 1, 0, 0, 0, 0)
	}
	if worst, where := x.worst(&w, 5, 0, [5]float64{1e6}); worst > tolerance {
		t.Errorf("%s off by %.3f %%", where, worst*100)
	}
}

func TestClockALittleBehindCountsAsTheSameInstant(t *testing.T) {
	var a, b Windows
	a.Add(100_000, 1, 1, 10, 0, 0)
	b = a
	a.Add(100_000, 1, 1, 10, 0, 0)
	b.Add(99_990, 1, 1, 10, 0, 0)
	if b.At != 100_000 {
		t.Errorf("the clock went back: At = %d", b.At)
	}
	if math.Abs(float64(a.In[0]-b.In[0])) > 1e-6 {
		t.Errorf("rate with the clock behind %v, same instant %v", b.In[0], a.In[0])
	}
	if s := b.Snapshot(99_000, AgeUnknown, 0); s.In[0] != float64(b.In[0]) {
		t.Errorf("a reader behind the owner sees %v, want %v", s.In[0], b.In[0])
	}
}

func TestPeak(t *testing.T) {
	f := func(in, before, after uint32, want float32) {
		t.Helper()
		var w Windows
		w.Add(1, in, in, 0, before, after)
		if w.Peak != [3]float32{want, want, want} {
			t.Errorf("Add(in %d, before %d, after %d): peak %v, want %v", in, before, after, w.Peak, want)
		}
	}
	f(1, 0, 0, 1) // straight through
	f(1, 7, 8, 8)
	f(0, 9, 3, 9) // leaving only
	f(0, 0, 5, 5) // restored from elsewhere
}

func TestYoungConnectionIsCorrected(t *testing.T) {
	var w Windows
	for ms := uint32(1); ms <= 2000; ms++ { // 2 s of 100/s with 50 queued
		in := uint32(0)
		if ms%10 == 0 {
			in = 1
		}
		w.Add(ms, in, in, 0, 50, 50)
	}
	s := w.Snapshot(2000, 2000, 50)
	for i := range s.In {
		if math.Abs(s.In[i]-100) > 1 || math.Abs(s.Level[i]-50) > 0.1 {
			t.Errorf("window %d: rate %.2f, level %.2f; want 100 and 50", i, s.In[i], s.Level[i])
		}
		// Twice the span times the rate is the count of evidence, so no span
		// may claim more than the age.
		if s.Tau[i] > 2 || s.Tau[i] > taus[i] {
			t.Errorf("window %d stands for %.2f s of a connection 2 s old", i, s.Tau[i])
		}
	}
	if raw := w.Snapshot(2000, AgeUnknown, 50); raw.In[2] > 3 {
		t.Errorf("uncorrected 100 s rate %.2f, want about 2", raw.In[2])
	}
	if s := w.Snapshot(2000, 0, 0); math.IsNaN(s.In[0]) || math.IsInf(s.In[0], 0) {
		t.Errorf("age 0 gives %v", s.In[0])
	}
}

func TestRateAndBoundAgreeWithSnapshot(t *testing.T) {
	var w Windows
	w.Add(10, 5, 3, 0, 0, 2)
	w.Add(700, 2, 9, 0, 2, 0)
	for _, now := range []uint32{690, 700, 1700, 5000, 90_000, 1 << 30} {
		s := w.Snapshot(now, AgeUnknown, 0)
		for i := range taus {
			f := func(what Quantity, want float64) {
				t.Helper()
				if got := w.Rate(what, i, now); math.Abs(got-want) > 1e-12*want {
					t.Errorf("Rate(%d, %d, %d) = %v, snapshot says %v", what, i, now, got, want)
				}
				if b := w.Bound(what, i); b < want {
					t.Errorf("Bound(%d, %d) = %v is below %v", what, i, b, want)
				}
			}
			f(QuantityIn, s.In[i])
			f(QuantityOut, s.Out[i])
		}
	}
}

// A queue that filled this instant may go at once; one that stood for long with
// nothing leaving will not.
func TestWaitTellsStuckFromJustFilled(t *testing.T) {
	var stuck, fresh Windows
	stuck.Add(0, 100, 0, 0, 0, 100)
	s := stuck.Snapshot(60_000, AgeUnknown, 100)
	if e := s.Wait(1, 100); e.State != Unsure || e.Low < 100 {
		t.Errorf("stuck for 60 s: %+v, want unsure with Low of minutes", e)
	}
	fresh.Add(60_000, 100, 0, 0, 0, 100)
	s = fresh.Snapshot(60_001, AgeUnknown, 100)
	if e := s.Wait(1, 100); e.State != Unsure || e.Low > 0.1 {
		t.Errorf("filled 1 ms ago: %+v, want unsure with Low near 0", e)
	}
}

func TestLoadAndStoreCopyAll(t *testing.T) {
	w := Windows{At: 3}
	w.Add(9, 1, 2, 3, 4, 5)
	var c Windows
	c.Store(&w)
	if c != w || c.Load() != w {
		t.Errorf("copy %+v, want %+v", c, w)
	}
}

func TestTinyValuesVanish(t *testing.T) {
	var w Windows
	w.Add(1, 1, 0, 0, 0, 0)
	for ms := uint32(1000); ms <= 300_000; ms += 1000 {
		w.Add(ms, 0, 1, 0, 0, 0)
		if w.In[0] != 0 && w.In[0] < tiny {
			t.Fatalf("at %d ms In[0] = %g, a denormal in waiting", ms, w.In[0])
		}
	}
	if w.In[0] != 0 {
		t.Errorf("after 300 s In[0] = %g, want 0", w.In[0])
	}
}
