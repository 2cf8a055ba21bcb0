package decay

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestKeyStepConstants(t *testing.T) {
	f := func(got uint64, tauMs float64) {
		t.Helper()
		if want := math.Round(math.Ldexp(octave, 32) / (tauMs * math.Ln2)); float64(got) != want {
			t.Errorf("step of %v ms = %d, want %.0f", tauMs, got, want)
		}
	}
	f(step10, 10_000)
	f(step100, 100_000)
}

// A key agrees with the value it stands for whenever it was written and read.
func TestKeysCompareAsDecayedRatesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.Float32Range(1e-20, 1e9).Draw(t, "s")
		written := rapid.Uint64Range(0, 1<<36).Draw(t, "written")
		now := written + rapid.Uint64Range(0, goneMs).Draw(t, "gap")
		gap := float64(now-written) / 1000
		f := func(name string, key uint32, floor func(float64, uint64) uint32, tau float64) {
			value := float64(s) * math.Exp(-gap/tau)
			if value < 1e-30 {
				return
			}
			if off := int32(key - floor(value, now)); off < -KeySlack || off > KeySlack {
				t.Fatalf("%s: %g written %v s ago is off by %d steps", name, s, gap, off)
			}
		}
		f("10 s", Key10(s, written), Floor10, 10)
		f("100 s", Key100(s, written), Floor100, 100)
	})
}

func TestBendedLogIsWithinSlack(t *testing.T) {
	for m := uint32(0); m < 1<<23; m += 97 {
		s := math.Float32frombits(127<<23 | m)
		if off := math.Abs(float64(Key10(s, 0)) - 4096*math.Log2(float64(s))); off > KeySlack {
			t.Fatalf("log2 of %v is off by %v steps", s, off)
		}
	}
}

func TestKeyIsZeroOnlyForNoRate(t *testing.T) {
	if Key10(0, 1<<40) != 0 || Key100(0, 0) != 0 {
		t.Error("a rate of 0 has a key")
	}
	// Find the ms whose step cancels the exponent of a small rate exactly.
	zero := false
	for ms := uint64(0); ms < 1<<16; ms++ {
		bits := uint32(127*octave-int32(ms*step10>>32)) << 11
		bits -= uint32(bend[bits>>13&1023]) << 11
		s := math.Float32frombits(bits)
		if bits>>11+uint32(bend[bits>>13&1023])-127*octave+uint32(ms*step10>>32) == 0 {
			zero = true
			if Key10(s, ms) == 0 {
				t.Fatalf("rate %g at %d ms has key 0", s, ms)
			}
		}
	}
	if !zero {
		t.Fatal("no case reached 0; the test proves nothing")
	}
}

func TestWindowsKeysUseTheTimeOfTheLastUpdate(t *testing.T) {
	var w Windows
	const at = uint64(5)<<32 + 1000 // the 32-bit clock has wrapped five times
	w.Add(uint32(at&math.MaxUint32), 7, 3, 0, 0, 0)
	want := Keys{Key10(w.In[1], at), Key10(w.Out[1], at), Key100(w.In[2], at), Key100(w.Out[2], at)}
	f := func(now uint64, what string) {
		t.Helper()
		if got := w.Keys(now); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	f(at, "at once")
	f(at+40_000, "40 s later")
	f(at-7, "by a clock 7 ms behind")
	if (&Windows{}).Keys(at) != (Keys{}) {
		t.Error("an empty record has keys")
	}
}
