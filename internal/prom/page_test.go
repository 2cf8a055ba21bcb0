package prom

import (
	"testing"
	"time"

	"pushfleet/internal/prom/promtest"
)

func TestPage(t *testing.T) {
	floor := new(Floor)
	f := func(v float64, words map[string]uint64, held string, want map[string]float64) {
		t.Helper()
		p := New(floor)
		p.Info("a_info", "What runs here.", "version", `1"2`)
		p.Gauge("a_level", "A level that moves.", v)
		p.Flag("a_on", "Whether it is on.", v > 5)
		p.Counter("a_total", "Things that happened.", v)
		p.Counters("b_total", "Things by their reason.", "reason", []string{"x", "y"}, words)
		p.Family("c_seconds", "histogram", "How long it took.")
		p.Held([]byte(held))
		x := promtest.Read(string(p.Bytes()), "version", "reason")
		for _, problem := range x.Problems {
			t.Error(problem)
		}
		for series, want := range want {
			if got, ok := x.Value(series); !ok || got != want {
				t.Errorf("%s = %v (there: %v), want %v", series, got, ok, want)
			}
		}
	}
	f(10, map[string]uint64{"x": 1, "z": 9}, "c_seconds_count 3\nno sample\n", map[string]float64{`a_info{version="1\"2"}`: 1,
		"a_level": 10, "a_on": 1, "a_total": 10, `b_total{reason="x"}`: 1, `b_total{reason="y"}`: 0, "c_seconds_count": 3})
	// What goes back waits at its highest, gauges do not.
	f(4, nil, "c_seconds_count 2\n", map[string]float64{"a_level": 4, "a_on": 0, "a_total": 10, `b_total{reason="x"}`: 1, "c_seconds_count": 3})
	f(11, map[string]uint64{"x": 2}, "c_seconds_count 4\n", map[string]float64{"a_total": 11, `b_total{reason="x"}`: 2, "c_seconds_count": 4})
}

func TestProcess(t *testing.T) {
	p := New(new(Floor))
	p.Process(time.Unix(1700000000, 500e6))
	x := promtest.Read(string(p.Bytes()), "version")
	for _, problem := range x.Problems {
		t.Error(problem)
	}
	for _, series := range []string{"process_cpu_seconds_total", "process_max_fds", "process_resident_memory_bytes", "go_goroutines"} {
		if v, ok := x.Value(series); !ok || v <= 0 {
			t.Errorf("%s = %v (there: %v), want more than 0", series, v, ok)
		}
	}
	if v, _ := x.Value("process_start_time_seconds"); v != 1700000000.5 {
		t.Errorf("started at %v", v)
	}
}
