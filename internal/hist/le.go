package hist

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// LE is a histogram with fixed bounds as Prometheus reads it. Any goroutine may
// observe and write it out. (The vmrange buckets of other libraries cannot be
// read by plain Prometheus.)
type LE struct {
	bounds []float64
	counts []atomic.Uint64 // one more than bounds: above the last
	sum    atomic.Uint64   // float64 bits
}

// NewLE returns an empty histogram with the upper bounds given, in the unit of
// the values. It panics if they do not grow: bounds are constants of a program.
func NewLE(bounds ...float64) *LE {
	for i, b := range bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && b <= bounds[i-1] {
			panic(fmt.Sprintf("hist: bounds %v do not grow; sort them and leave out +Inf", bounds))
		}
	}
	return &LE{bounds: slices.Clone(bounds), counts: make([]atomic.Uint64, len(bounds)+1)}
}

// LatencyBounds returns the bounds in seconds that the project's latency
// histograms share: 10 µs to 10 s.
func LatencyBounds() []float64 {
	return []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3,
		10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10}
}

// Observe counts one value.
func (h *LE) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// WritePrometheus writes the sample lines of h. name may carry labels, as in
// pushd_wait_seconds{loop="1"}.
func (h *LE) WritePrometheus(w io.Writer, name string) error {
	counts := make([]uint64, len(h.counts))
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
	}
	return writeLE(w, name, h.bounds, counts, math.Float64frombits(h.sum.Load()))
}

// WritePrometheus writes l as a histogram in seconds with the bounds given,
// which must grow. A bucket of l that straddles a bound counts on the side
// where its middle lies, so a bound is off by at most 1.6 % of itself. l must
// not change meanwhile.
func (l *Log) WritePrometheus(w io.Writer, name string, bounds []float64) error {
	counts := make([]uint64, len(bounds)+1)
	k := 0
	for i, c := range l.counts {
		for k < len(bounds) && float64(middle(i)) > bounds[k]*1e9 {
			k++
		}
		counts[k] += c
	}
	return writeLE(w, name, bounds, counts, float64(l.sum)/1e9)
}

func writeLE(w io.Writer, name string, bounds []float64, counts []uint64, sum float64) error {
	base, labels := splitName(name)
	open, all := "{", labels
	if labels != "" {
		open, all = "{"+labels+",", "{"+labels+"}"
	}
	var b strings.Builder
	total := uint64(0)
	for i, c := range counts {
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		total += c
		fmt.Fprintf(&b, "%s_bucket%sle=%q} %d\n", base, open, le, total)
	}
	fmt.Fprintf(&b, "%s_sum%s %s\n", base, all, strconv.FormatFloat(sum, 'g', -1, 64))
	fmt.Fprintf(&b, "%s_count%s %d\n", base, all, total)
	_, err := io.WriteString(w, b.String())
	return err
}

// splitName takes name{labels} apart.
func splitName(name string) (base, labels string) {
	base, labels, _ = strings.Cut(name, "{")
	return base, strings.TrimSuffix(labels, "}")
}
