package swarm

import "math/bits"

// Hist counts durations in nanoseconds in buckets that are at most 1/64 wide
// relative to their value; the largest value is kept exactly. The zero value
// is ready and takes no memory until Record. Not safe for concurrent use.
type Hist struct {
	counts []uint64
	n      uint64
	max    int64
}

const (
	subBits    = 6
	valueBits  = 42 // 73 minutes
	histLength = (valueBits - subBits + 1) << subBits
)

func bucket(v int64) int {
	v = min(max(v, 0), 1<<valueBits-1)
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// lower is the smallest value of a bucket.
func lower(i int) int64 {
	if i < 1<<subBits {
		return int64(i)
	}
	shift := i>>subBits - 1
	return int64(i&(1<<subBits-1)+1<<subBits) << shift
}

// Record counts one duration; below 0 counts as 0.
func (h *Hist) Record(ns int64) {
	if h.counts == nil {
		h.counts = make([]uint64, histLength)
	}
	h.counts[bucket(ns)]++
	h.n++
	h.max = max(h.max, ns)
}

// Count returns the number of durations.
func (h *Hist) Count() uint64 { return h.n }

// Max returns the largest one, exactly.
func (h *Hist) Max() int64 { return h.max }

// Quantile returns the duration that the share q (0..1) does not exceed, in
// the middle of its bucket; 0 when nothing was recorded.
func (h *Hist) Quantile(q float64) int64 {
	if h.n == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.n)), h.n-1)
	for i, c := range h.counts {
		if rank < c {
			low := lower(i)
			return min(low+(lower(i+1)-low)/2, h.max)
		}
		rank -= c
	}
	return h.max
}

// Merge adds what o has counted.
func (h *Hist) Merge(o *Hist) {
	if o.n == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, histLength)
	}
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// Reset forgets everything and keeps the memory.
func (h *Hist) Reset() {
	clear(h.counts)
	h.n, h.max = 0, 0
}
