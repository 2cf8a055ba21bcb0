package probe

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
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
			if r.Pauses.Total < 0.99*want.PauseLow || r.Pauses.Total > 1.01*want.PauseHigh {
				t.Errorf("pauses of %v s, runtime/metrics has %v to %v", r.Pauses.Total, want.PauseLow, want.PauseHigh)
			}
			if a := r.Compare(Says(want.Before[0], int64(want.Before[1]), int64(want.Before[2])), Says(want.After[0], int64(want.After[1]), int64(want.After[2]))); !a.Agrees || a.Apart != "" || a.Paused == 0 {
				t.Errorf("compared %+v", a)
			}
			var assist float64
			for _, c := range r.Cycles {
				assist += c.Assist
			}
			if math.Abs(assist-want.Assist) > 1e-6 || assist == 0 {
				t.Errorf("assists %v s, the runtime says %v", assist, want.Assist)
			}
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
		event{kind: eventEnd, time: 40},
		event{kind: eventPause | stopMark<<8, time: 60, a: 50, b: 55, e: 58}, // of a cycle before
		event{kind: eventStart, time: 1000, a: 0, b: 4 << 20},
		event{kind: eventPause | stopSweep<<8, time: 1100, a: 900, b: 950, e: 1100},
		event{kind: eventPause | 8<<8, time: 1300, a: 1200, b: 1250, e: 1300},        // ReadMemStats
		event{kind: eventPause | stopMark<<8, time: 2040, a: 2000, b: 2010, e: 2040}, // found more to mark
		event{kind: eventEnd, time: 3000, d: 7000},
		event{kind: eventPause | stopMark<<8, time: 3100, a: 2950, b: 2960, c: 1 << 20, d: 5 << 20, e: 3050},
		event{kind: eventStart, time: 5000, a: 2}, // has not ended
	)
	if len(got) != 1 || cs.n != 2 || cs.cur == nil {
		t.Fatalf("%d cycles, %+v", len(got), cs)
	}
	want := Cycle{N: 1, Trigger: "heap", Before: 4 << 20, After: 1 << 20, Goal: 5 << 20, StopSweep: 200e-9, StopMark: 190e-9, Stopping: 70e-9, Mark: 2000e-9, Assist: 7000e-9}
	c := *got[0]
	for _, p := range [][2]*float64{{&c.StopSweep, &want.StopSweep}, {&c.StopMark, &want.StopMark}, {&c.Stopping, &want.Stopping}, {&c.Mark, &want.Mark}, {&c.Assist, &want.Assist}} {
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
	if want := []ended{{58, 8, false}, {3050, 340, true}}; !slices.Equal(cs.ends, want) {
		t.Errorf("ends %+v, want %+v", cs.ends, want)
	}
}

func TestAgreement(t *testing.T) {
	const ms = 1_000_000
	r := &GCReport{ends: []ended{{10 * ms, 100, false}, {20 * ms, 200, true}, {30 * ms, 300, true}, {40 * ms, 400, true}}}
	f := func(from, to uint64, cycles uint64, paused int64, want bool, saw uint64) {
		t.Helper()
		a := r.Compare(Said{100, 5000, from * ms}, Said{100 + cycles, 5000 + paused, to * ms})
		if a.Agrees != want || a.Cycles != saw {
			t.Errorf("%d to %d: %+v, want %v and %d", from, to, a, want, saw)
		}
	}
	f(10, 40, 3, 900, true, 3)
	f(10, 30, 2, 500, true, 2)
	f(10, 30, 3, 500, false, 2)
	f(10, 30, 2, 520, false, 2)
	f(5, 20, 2, 999, true, 2) // of the first one the probe saw the end only
	f(40, 40, 0, 0, true, 0)
	now := time.Now()
	s := Says(7, 8, now.UnixNano())
	if d := int64(s.last) - monotonic(); d > 0 || d < -int64(time.Minute) || s.Cycles != 7 || s.Paused != 8 {
		t.Errorf("%+v is %d ns from now", s, d)
	}
	if d := wall(s.last).Sub(now).Abs(); d > time.Minute {
		t.Errorf("there and back: off by %s", d)
	}
	if s := Says(0, 0, 0); s.last != 0 {
		t.Errorf("%+v", s)
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
	f(event{time: 100, a: 60, b: 50, e: 100})
	f(event{time: 100, a: 60, b: 110, e: 110})
	f(event{time: 100 + pauseMax, a: 60, b: 70, e: 80})
	f(event{time: 100, a: 60, b: 70})
	f(event{time: 100, a: 60, b: 70, e: 101})
	if _, err := readEvent(make([]byte, eventSize-1)); err == nil {
		t.Error("a short event was read")
	}
}
