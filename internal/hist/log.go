// Package hist holds latency histograms: Log, owned by one loop and cheap
// enough for every message, and the le histograms of Prometheus. Room of
// ARCHITECTURE.md: imports nothing of the project.
package hist

import (
	"math"
	"math/bits"
)

const (
	subBits = 5 // 32 buckets per octave: a bucket is at most 1/32 wide
	sub     = 1 << subBits
	octaves = 36 // up to 2^(subBits+octaves) ns = 37 minutes
	buckets = sub * (octaves + 1)
)

// Log counts durations in ns. Its buckets are one ns wide below 32 ns and 1/32
// of an octave above, so a quantile is at most 1.6 % off up to 37 minutes;
// longer ones count in the last bucket, and Max is exact. The zero value is
// empty. It has one owner and no pointers: others get a copy (9.3 KiB) from the
// owner and merge copies.
type Log struct {
	n, max uint64
	sum    uint64 // ns; lasts for 584 years of waiting
	counts [buckets]uint64
}

// Record counts one duration in ns; negative ones count as 0.
func (l *Log) Record(ns int64) {
	v := uint64(max(ns, 0))
	l.counts[bucket(v)]++
	l.n++
	l.sum += v
	l.max = max(l.max, v)
}

// bucket is v itself below 2*sub, then octave and the subBits bits that follow
// the leading one.
func bucket(v uint64) int {
	shift := max(bits.Len64(v), subBits+1) - (subBits + 1)
	return min(shift<<subBits+int(v>>uint(shift)), buckets-1)
}

// bounds returns the least value of bucket i and the least above it.
func bounds(i int) (low, high uint64) {
	if i < 2*sub {
		return uint64(i), uint64(i) + 1
	}
	shift := uint(i>>subBits - 1)
	low = uint64(i&(sub-1)|sub) << shift
	return low, low + 1<<shift
}

// middle is the value that stands for bucket i.
func middle(i int) uint64 {
	low, high := bounds(i)
	return low + (high-low)/2
}

// Count returns how many durations were recorded.
func (l *Log) Count() uint64 { return l.n }

// Sum returns their sum in ns.
func (l *Log) Sum() uint64 { return l.sum }

// Max returns the longest in ns.
func (l *Log) Max() int64 { return int64(l.max) }

// Mean returns the mean in ns, 0 when empty.
func (l *Log) Mean() float64 {
	if l.n == 0 {
		return 0
	}
	return float64(l.sum) / float64(l.n)
}

// Quantile returns the duration in ns that the share q (0…1) of all do not
// exceed, 0 when empty.
func (l *Log) Quantile(q float64) int64 {
	if l.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(l.n)))
	rank = max(rank, 1)
	if rank >= l.n {
		return int64(l.max)
	}
	seen := uint64(0)
	for i, c := range l.counts {
		if seen += c; seen >= rank {
			return int64(min(middle(i), l.max))
		}
	}
	return int64(l.max)
}

// Merge adds the counts of o.
func (l *Log) Merge(o *Log) {
	l.n += o.n
	l.sum += o.sum
	l.max = max(l.max, o.max)
	for i, c := range o.counts {
		l.counts[i] += c
	}
}

// Since removes the counts of an earlier copy of the same histogram, which
// leaves those of the time between. The greatest value is then known to the
// width of its bucket only.
func (l *Log) Since(earlier *Log) {
	l.n -= earlier.n
	l.sum -= earlier.sum
	last := -1
	for i, c := range earlier.counts {
		l.counts[i] -= c
		if l.counts[i] != 0 {
			last = i
		}
	}
	if last < 0 {
		l.max = 0
		return
	}
	_, high := bounds(last)
	l.max = min(l.max, high-1)
}

// Reset empties l.
func (l *Log) Reset() { *l = Log{} }
