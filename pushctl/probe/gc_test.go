package probe

import (
	"context"
	"math"
	"strings"
	"testing"
)

// watchGC runs a probe of the collector while f runs.
func watchGC(t *testing.T, c *child, o GCOptions, f func()) *GCReport {
	t.Helper()
	return watch(t, c, &o.Options, f, func(ctx context.Context, target *Target) (*GCReport, error) { return GC(ctx, target, o) })
}

// TestGCAgreesWithRuntime compares the probe with what the runtime itself
// counts, for every form that a program is delivered in.
func TestGCAgreesWithRuntime(t *testing.T) {
	allowed(t)
	f := func(name, cgo string, args ...string) {
		t.Run(name, func(t *testing.T) {
			c := start(t, build(t, cgo, args...), "gc")
			var want result
			r := watchGC(t, c, GCOptions{Assist: true}, func() { want = c.work() })
			if uint64(r.Count) != want.Cycles || len(r.Cycles) != r.Count {
				t.Errorf("%d cycles, the runtime counts %d", r.Count, want.Cycles)
			}
			near(t, "pauses beside MemStats", r.Pauses.Total, float64(want.PauseTotal)/1e9)
			near(t, "pauses beside runtime/metrics", r.Pauses.Total, (want.PauseLow+want.PauseHigh)/2)
			last := r.Cycles[len(r.Cycles)-1]
			if last.After != want.Live || last.Goal != want.Goal || last.Trigger != "forced" || last.Before == 0 || last.Mark <= 0 {
				t.Errorf("last cycle %+v, want live %d and goal %d", last, want.Live, want.Goal)
			}
			if first := r.Cycles[0]; first.Trigger != "heap" {
				t.Errorf("the first cycle was started by %s", first.Trigger)
			}
			if r.Lost.Total() != 0 || r.End != EndInterrupted || r.Hits == 0 || r.CostCPU <= 0 {
				t.Errorf("run %+v", r.Run)
			}
			c.stop()
		})
	}
	f("normal", "0")
	f("stripped", "0", "-ldflags=-s -w")
	f("pie", "0", "-buildmode=pie")
	f("external", "1", "-ldflags=-linkmode=external -s -w")
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if want <= 0 || math.Abs(got-want) > want/10 {
		t.Errorf("%s: %v, want %v within 10 %%", what, got, want)
	}
}

// feed gives events to cycles and wants no error.
func feed(t *testing.T, cs *cycles, es ...event) []*Cycle {
	t.Helper()
	var out []*Cycle
	for _, e := range es {
		c, err := cs.add(e)
		if err != nil {
			t.Fatal(err)
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

func TestCycles(t *testing.T) {
	var cs cycles
	got := feed(t, &cs,
		event{kind: eventPause | stopMark<<8, time: 60, a: 50, b: 55}, // of a cycle before
		event{kind: eventStart, time: 1000, a: 0, b: 4 << 20},
		event{kind: eventPause | stopSweep<<8, time: 1100, a: 900, b: 950},
		event{kind: eventPause | 8<<8, time: 1300, a: 1200, b: 1250},        // ReadMemStats
		event{kind: eventPause | stopMark<<8, time: 2040, a: 2000, b: 2010}, // found more to mark
		event{kind: eventEnd, time: 3000},
		event{kind: eventPause | stopMark<<8, time: 3100, a: 2950, b: 2960, c: 1 << 20, d: 5 << 20},
		event{kind: eventStart, time: 5000, a: 2}, // has not ended
	)
	if len(got) != 1 || cs.n != 2 || cs.cur == nil {
		t.Fatalf("%d cycles, %+v", len(got), cs)
	}
	want := Cycle{N: 1, Trigger: "heap", Before: 4 << 20, After: 1 << 20, Goal: 5 << 20, StopSweep: 200e-9, StopMark: 190e-9, Stopping: 70e-9, Mark: 2000e-9}
	c := *got[0]
	for _, p := range [][2]*float64{{&c.StopSweep, &want.StopSweep}, {&c.StopMark, &want.StopMark}, {&c.Stopping, &want.Stopping}, {&c.Mark, &want.Mark}} {
		if math.Abs(*p[0]-*p[1]) < 1e-12 {
			*p[0] = *p[1]
		}
	}
	if c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	if cs.pauses.Count != 4 || cs.other.Count != 1 || cs.other.Sum != 100 {
		t.Errorf("%d pauses and %d other stops", cs.pauses.Count, cs.other.Count)
	}
}

func TestCyclesRefuseAnotherABI(t *testing.T) {
	f := func(e event) {
		t.Helper()
		e.kind = eventPause | stopMark<<8
		if _, err := new(cycles).add(e); err == nil || !strings.Contains(err.Error(), "calling convention differs") {
			t.Errorf("%+v: %v", e, err)
		}
	}
	f(event{time: 100, a: 60, b: 50})
	f(event{time: 100, a: 60, b: 110})
	f(event{time: 100 + pauseMax, a: 60, b: 70})
	if _, err := readEvent(make([]byte, eventSize-1)); err == nil {
		t.Error("a short event was read")
	}
}
