package node

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

func TestRecentForgets(t *testing.T) {
	var r recent
	start := time.Unix(1000, 0)
	hist := func(counts ...uint64) *metrics.Float64Histogram {
		return &metrics.Float64Histogram{Counts: counts, Buckets: []float64{0, 0.001, 0.01, 0.1}}
	}
	f := func(at int, gc, busy float64, sched, pauses *metrics.Float64Histogram, wantGC, wantSched, wantPause float64) {
		t.Helper()
		now := reading{at: start.Add(time.Duration(at) * time.Second), gc: gc, busy: busy, sched: sched, pauses: pauses}
		r.note(now)
		var p pushdapi.Process
		r.fill(&p, &now)
		if p.GCPercent10 != wantGC || p.SchedP99 != wantSched || p.GCPauseP99 != wantPause {
			t.Errorf("after %d s: gc %v, sched %v, pause %v; want %v, %v, %v", at, p.GCPercent10, p.SchedP99, p.GCPauseP99, wantGC, wantSched, wantPause)
		}
	}
	f(0, 10, 20, hist(1000, 0, 1000), hist(0, 0, 1), 0, 0, 0) // before we looked
	f(5, 11, 30, hist(1100, 0, 1000), hist(1, 0, 1), 10, 0.001, 0.001)
	f(10, 12, 40, hist(1100, 0, 1100), hist(1, 0, 1), 10, 0.1, 0.001)
	f(20, 12, 50, hist(1200, 0, 1100), hist(1, 0, 1), 0, 0.001, 0)
	f(31, 12, 60, hist(1200, 100, 1100), hist(1, 1, 1), 0, 0.01, 0.01)
	var none pushdapi.Process
	new(recent).fill(&none, &reading{sched: hist(1, 0, 0), pauses: hist(1, 0, 0)})
	if none.SchedP99 != 0 {
		t.Errorf("before the first reading: %+v", none)
	}
}

func TestRuntimeIsRead(t *testing.T) {
	before := readRuntime()
	for range 5 {
		runtime.GC()
	}
	after := readRuntime()
	pauses := uint64(0)
	for _, c := range later(after.pauses, before.pauses).Counts {
		pauses += c
	}
	if after.gc <= before.gc || pauses < 5 || len(after.sched.Counts) == 0 {
		t.Errorf("gc %v then %v, %d pauses", before.gc, after.gc, pauses)
	}
}
