package decay

import "math"

// Keys order connections by a rate without decaying it ("forward decay",
// Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009): S at time t, worth
// S·exp(−(T−t)/τ) at any later T, is stored as log2(S) + t/(τ·ln 2). Whatever T
// is, it takes the same amount from every key, so keys written at different
// times compare as their rates do. 16 bytes; 0 means no rate.
//
// A key is fixed point with 4096 steps per octave, modulo 2^32. The log2 is
// read off the float32 bits, which draws a straight line between powers of two
// and so is up to 0.0861 octave too low, never too high.
//
// The order holds among records touched within 2^31 steps: 42 days for the
// 10 s keys, 420 for the 100 s ones. Older ones may look large; whoever ranks
// must read the record before believing a key.
type Keys struct {
	In10, Out10, In100, Out100 uint32
}

const (
	octave = 4096
	// KeySlack is by how many steps a key may be below its exact value: 0.0861
	// octave (353) for the straight line, one each for two roundings and one
	// for the float32 tables.
	KeySlack = 353 + 3

	step10  = 2538015956 // 2^32 · octave / (10,000 ms · ln 2)
	step100 = 253801596  // 2^32 · octave / (100,000 ms · ln 2)
)

// Key10 is the key of a rate of the 10 s window as of nowMs, 64-bit ms since
// the node started.
func Key10(s float32, nowMs uint64) uint32 { return key(s, nowMs, step10) }

// Key100 is the key of a rate of the 100 s window.
func Key100(s float32, nowMs uint64) uint32 { return key(s, nowMs, step100) }

func key(s float32, nowMs, step uint64) uint32 {
	return pack(s, uint32(nowMs*step>>32)-127*octave)
}

// Floor10 is the least key that a rate of at least s, greater than 0, of the
// 10 s window can have as of nowMs. Compare with AtLeast.
func Floor10(s float64, nowMs uint64) uint32 { return floor(s, nowMs, step10) }

// Floor100 is Floor10 of the 100 s window.
func Floor100(s float64, nowMs uint64) uint32 { return floor(s, nowMs, step100) }

func floor(s float64, nowMs, step uint64) uint32 {
	return uint32(int32(math.Floor(math.Log2(s)*octave))-KeySlack) + uint32(nowMs*step>>32)
}

// AtLeast reports whether a key that is not 0 reaches floor.
func AtLeast(key, floor uint32) bool { return int32(key-floor) >= 0 }

// Keys returns the keys of w, whose last update was at the low 32 bits of about
// nowMs.
func (w *Windows) Keys(nowMs uint64) Keys {
	t := nowMs - uint64(gap(uint32(nowMs), w.At))
	if behind := w.At - uint32(nowMs); behind < backMs {
		t = nowMs + uint64(behind)
	}
	t10, t100 := uint32(t*step10>>32)-127*octave, uint32(t*step100>>32)-127*octave
	return Keys{
		In10:   pack(w.In[1], t10),
		Out10:  pack(w.Out[1], t10),
		In100:  pack(w.In[2], t100),
		Out100: pack(w.Out[2], t100),
	}
}

func pack(s float32, base uint32) uint32 {
	if s <= 0 {
		return 0
	}
	return max(math.Float32bits(s)>>11+base, 1)
}
