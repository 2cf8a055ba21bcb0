package hist

import (
	"bytes"
	"math"
	"strings"
	"sync"
	"testing"
)

func TestLELines(t *testing.T) {
	h := NewLE(0.001, 0.01, 1)
	for _, v := range []float64{0.0005, 0.001, 0.002, 0.5, 7} {
		h.Observe(v)
	}
	f := func(name, want string) {
		t.Helper()
		var b bytes.Buffer
		if err := h.WritePrometheus(&b, name); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	}
	f("x_seconds", `x_seconds_bucket{le="0.001"} 2
x_seconds_bucket{le="0.01"} 3
x_seconds_bucket{le="1"} 4
x_seconds_bucket{le="+Inf"} 5
x_seconds_sum 7.5035
x_seconds_count 5
`)
	f(`x_seconds{loop="1",a="b"}`, `x_seconds_bucket{loop="1",a="b",le="0.001"} 2
x_seconds_bucket{loop="1",a="b",le="0.01"} 3
x_seconds_bucket{loop="1",a="b",le="1"} 4
x_seconds_bucket{loop="1",a="b",le="+Inf"} 5
x_seconds_sum{loop="1",a="b"} 7.5035
x_seconds_count{loop="1",a="b"} 5
`)
}

func TestLogWritesLELines(t *testing.T) {
	var l Log
	for _, ns := range []int64{500_000, 900_000, 2_000_000, 500_000_000, 7_000_000_000} {
		l.Record(ns)
	}
	var b bytes.Buffer
	if err := l.WritePrometheus(&b, "x_seconds", []float64{0.001, 0.01, 1}); err != nil {
		t.Fatal(err)
	}
	want := `x_seconds_bucket{le="0.001"} 2
x_seconds_bucket{le="0.01"} 3
x_seconds_bucket{le="1"} 4
x_seconds_bucket{le="+Inf"} 5
x_seconds_sum 7.5034
x_seconds_count 5
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestLEIsSafeForManyGoroutines(t *testing.T) {
	h := NewLE(LatencyBounds()...)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				h.Observe(0.5)
			}
		})
	}
	wg.Wait()
	var b bytes.Buffer
	if err := h.WritePrometheus(&b, "x"); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "x_sum 2000\n") || !strings.Contains(s, "x_count 4000\n") {
		t.Errorf("lost observations:\n%s", s)
	}
}

func TestNewLERefusesBadBounds(t *testing.T) {
	f := func(bounds ...float64) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("NewLE(%v) did not panic", bounds)
			}
		}()
		NewLE(bounds...)
	}
	f(1, 1)
	f(2, 1)
	f(1, math.Inf(1))
	f(math.NaN())
}
