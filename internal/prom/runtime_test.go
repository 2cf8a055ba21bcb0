package prom

import (
	"math"
	"runtime/metrics"
	"strings"
	"testing"
)

// Every number of the table exists in this runtime: a name that is gone would
// otherwise be 0 for ever.
func TestRuntimeNamesExist(t *testing.T) {
	values := readRuntime(append(runtimeTable(), runtimeHistograms()...))
	for name, v := range values {
		if v.Kind() == metrics.KindBad {
			t.Errorf("this runtime has no %s", name)
		}
	}
	for _, m := range runtimeHistograms() {
		if v := values[m.of[0]]; v.Kind() != metrics.KindFloat64Histogram {
			t.Errorf("%s is not a histogram", m.of[0])
		}
	}
}

func TestRuntimeHistogram(t *testing.T) {
	h := &metrics.Float64Histogram{Buckets: []float64{math.Inf(-1), 0, 0.5, 1.5, 4, math.Inf(1)}, Counts: []uint64{1, 2, 3, 4, 5}}
	want := `x_bucket{le="0.1"} 1
x_bucket{le="1"} 6
x_bucket{le="2"} 6
x_bucket{le="3"} 10
x_bucket{le="+Inf"} 15
x_sum 34.5
x_count 15
`
	if got := string(leOf("x", h, []float64{0.1, 1, 2, 3})); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := string(leOf("x", h, []float64{9})); !strings.HasPrefix(got, "x_bucket{le=\"9\"} 15\n") {
		t.Errorf("a bound above all buckets: %s", got)
	}
}

func TestLabelsAreEscaped(t *testing.T) {
	if got, want := Series("a", "x", "1\"2\\3\n4", "y", "z"), `a{x="1\"2\\3\n4",y="z"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Each runtime metric must be written under the type that its name says.
func TestRuntimePage(t *testing.T) {
	p := New(new(Floor))
	p.Runtime()
	text := string(p.Bytes())
	for _, want := range []string{"# TYPE go_gc_cycles_total counter\ngo_gc_cycles_total ", "# TYPE go_threads gauge\ngo_threads ",
		"# TYPE go_sched_latencies_seconds histogram\ngo_sched_latencies_seconds_bucket{le="} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
