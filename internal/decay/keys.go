package decay

import "math"

// Keys order connections by a rate without decaying it ("forward decay",
// Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009): S at time t, worth
// S·exp(−(T−t)/τ) at any later T, is stored as log2(S) + t/(τ·ln 2). Whatever T
// is, it takes the same amount from every key, so keys written at different
// times compare as their rates do. 16 bytes; 0 means no rate.
//
// A key is fixed point with 4096 steps per octave, modulo 2^32. The float32
// bits are a log2 already, apart from the straight line that they draw between
// powers of two; a table of 2 KB bends it. What remains is KeySlack.
//
// The order holds among records touched within 2^31 steps: 42 days for the
// 10 s keys, 420 for the 100 s ones. Older ones may look large; whoever ranks
// must read the record before believing a key.
type Keys struct {
	In10, Out10, In100, Out100 uint32
}

const (
	octave = 4096
	// KeySlack is how many steps a key may be off its exact value: 0.04 %, less
	// than the windows themselves. Half of it is the table, the rest rounding.
	KeySlack = 3

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

// bend[i] is what the straight line lacks in the i-th 1024th of an octave, in
// steps: up to 0.0861 octave. It never changes after it was computed.
var bend = newBend()

func newBend() (t [1024]uint16) {
	for i := range t {
		f := (float64(i) + 0.5) / 1024
		t[i] = uint16(math.Round((math.Log2(1+f) - f) * octave))
	}
	return t
}

// Floor10 is the key that a rate of s, greater than 0, of the 10 s window has
// as of nowMs, to within KeySlack. Compare with AtLeast.
func Floor10(s float64, nowMs uint64) uint32 { return floor(s, nowMs, step10) }

// Floor100 is Floor10 of the 100 s window.
func Floor100(s float64, nowMs uint64) uint32 { return floor(s, nowMs, step100) }

func floor(s float64, nowMs, step uint64) uint32 {
	return uint32(int32(math.Round(math.Log2(s)*octave))) + uint32(nowMs*step>>32)
}

// AtLeast reports whether a key that is not 0 reaches floor. Take KeySlack off
// the floor where no record may be missed, add it where ties should not pass.
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
	b := math.Float32bits(s)
	return max(b>>11+uint32(bend[b>>13&1023])+base, 1)
}
