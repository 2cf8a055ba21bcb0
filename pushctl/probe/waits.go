package probe

import "math/bits"

// Buckets of histograms, as in bpf/headers/probe.h: four per power of two from
// 256 ns, hence at most 25 % wide.
const (
	buckets    = 128
	firstShift = 8
)

// Waits is a distribution of times as programs in the kernel keep it.
type Waits struct {
	Count uint64
	Sum   uint64 // ns
	Max   uint64 // ns
	Hist  [buckets]uint32
}

// Record adds a time in nanoseconds.
func (w *Waits) Record(ns uint64) {
	w.Count++
	w.Sum += ns
	w.Max = max(w.Max, ns)
	w.Hist[bucketOf(ns)]++
}

// Merge adds another distribution.
func (w *Waits) Merge(o *Waits) {
	w.Count += o.Count
	w.Sum += o.Sum
	w.Max = max(w.Max, o.Max)
	for i, n := range o.Hist {
		w.Hist[i] += n
	}
}

func bucketOf(ns uint64) int {
	if ns < 1<<firstShift {
		return 0
	}
	e := bits.Len64(ns) - 1
	return min(buckets-1, (e-firstShift)*4+int(ns>>(e-2)&3)+1)
}

// low is the least time of a bucket in nanoseconds; low(buckets) ends the last.
func low(i int) uint64 {
	if i == 0 {
		return 0
	}
	e := (i-1)/4 + firstShift
	return 1<<e + uint64((i-1)%4)<<(e-2)
}

// Quantile is the time in nanoseconds that a share q of 0 to 1 stays below, by
// the middle of its bucket and never above Max; 0 without any.
func (w *Waits) Quantile(q float64) uint64 {
	var n, seen uint64
	for _, c := range w.Hist {
		n += uint64(c)
	}
	rank := uint64(q * float64(n))
	for i, c := range w.Hist {
		if seen += uint64(c); c > 0 && seen > min(rank, n-1) {
			return min(w.Max, (low(i)+low(i+1))/2)
		}
	}
	return 0
}

// Bar is a bucket that holds something, in powers of two.
type Bar struct {
	Low   float64 `json:"low_seconds"`
	High  float64 `json:"high_seconds"`
	Count uint64  `json:"count"`
}

// Bars returns the distribution by powers of two, from the first to the last
// that holds something.
func (w *Waits) Bars() []Bar {
	var out []Bar
	for i := 0; i < buckets; {
		end := i + 4
		if i == 0 {
			end = 1
		}
		b := Bar{Low: seconds(low(i)), High: seconds(low(end))}
		for ; i < min(end, buckets); i++ {
			b.Count += uint64(w.Hist[i])
		}
		if b.Count > 0 || out != nil {
			out = append(out, b)
		}
	}
	for len(out) > 0 && out[len(out)-1].Count == 0 {
		out = out[:len(out)-1]
	}
	return out
}

func seconds(ns uint64) float64 { return float64(ns) / 1e9 }

// Times is a distribution in seconds.
type Times struct {
	Count uint64  `json:"count"`
	Total float64 `json:"total_seconds"`
	P50   float64 `json:"p50_seconds"`
	P99   float64 `json:"p99_seconds"`
	Max   float64 `json:"max_seconds"`
}

func (w *Waits) times() Times {
	return Times{w.Count, seconds(w.Sum), seconds(w.Quantile(0.5)), seconds(w.Quantile(0.99)), seconds(w.Max)}
}
