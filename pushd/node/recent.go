package node

import (
	"math"
	"runtime/metrics"
	"time"

	"pushfleet/internal/pushdapi"
)

// recentSpan is half of the time that recent looks back on.
const recentSpan = 10 * time.Second

// recent keeps two older readings of the runtime, at least recentSpan apart:
// what it did since the start says nothing of now after a day.
type recent struct {
	older, old reading
}

// reading is the runtime's counters at one moment, all since its start.
type reading struct {
	at       time.Time
	gc, busy float64 // seconds
	pauses   *metrics.Float64Histogram
	sched    *metrics.Float64Histogram
}

// note keeps a reading once the one before is old enough.
func (r *recent) note(now reading) {
	if r.old.at.IsZero() {
		r.older, r.old = now, now
	}
	if now.at.Sub(r.old.at) >= recentSpan {
		r.older, r.old = r.old, now
	}
}

// fill tells what happened in the 10 to 20 s before now, or since the first
// reading. Before that there is nothing to tell.
func (r *recent) fill(p *pushdapi.Process, now *reading) {
	then := &r.older
	if then.at.IsZero() {
		return
	}
	if busy := now.busy - then.busy; busy > 0 {
		p.GCPercent10 = min(max(100*(now.gc-then.gc)/busy, 0), 100)
	}
	p.GCPauseP99 = quantile(later(now.pauses, then.pauses), 0.99)
	p.SchedP99 = quantile(later(now.sched, then.sched), 0.99)
}

// readRuntime reads the counters. Those of processors are in the runtime's own
// unit, which with more processors than cores is more than CPU time.
func readRuntime() reading {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"},
		{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/latencies:seconds"},
	}
	metrics.Read(s)
	idleGC := s[1].Value.Float64()
	return reading{at: time.Now(), gc: s[0].Value.Float64() - idleGC, busy: s[2].Value.Float64() - s[3].Value.Float64() - idleGC,
		pauses: s[4].Value.Float64Histogram(), sched: s[5].Value.Float64Histogram()}
}

// quantile is the upper bound of the bucket that holds it.
func quantile(h *metrics.Float64Histogram, q float64) float64 {
	var total, seen uint64
	for _, c := range h.Counts {
		total += c
	}
	if total == 0 {
		return 0
	}
	for i, c := range h.Counts {
		if seen += c; float64(seen) >= q*float64(total) {
			if v := h.Buckets[i+1]; !math.IsInf(v, 0) {
				return v
			}
			return h.Buckets[i]
		}
	}
	return 0
}
