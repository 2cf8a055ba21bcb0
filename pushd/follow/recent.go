package follow

import (
	"math"
	"runtime/metrics"
	"time"
)

// Recent is what the runtime did over the last 10 to 20 s: since the start, as
// in Stats, says nothing of now after a day.
type Recent struct {
	GCPercent float64 // of the processors' busy time
	SchedP99  float64 // seconds that a goroutine waited for a processor
}

// recentSpan is half of the time that Recent looks back on.
const recentSpan = 10 * time.Second

// recent keeps two older readings of the runtime, at least recentSpan apart.
type recent struct {
	older, old reading
}

// reading is the runtime's counters at one moment, all since its start.
type reading struct {
	at       time.Time
	gc, busy float64 // seconds
	sched    []uint64
	bounds   []float64 // of sched
}

// take adds a reading and returns what happened since the older one.
func (r *recent) take(now reading) Recent {
	if r.old.at.IsZero() {
		r.older, r.old = now, now
	}
	if now.at.Sub(r.old.at) >= recentSpan {
		r.older, r.old = r.old, now
	}
	return now.since(&r.older)
}

func (now *reading) since(then *reading) Recent {
	var out Recent
	if busy := now.busy - then.busy; busy > 0 {
		out.GCPercent = min(max(100*(now.gc-then.gc)/busy, 0), 100)
	}
	out.SchedP99 = now.quantile(then, 0.99)
	return out
}

// quantile is the upper bound of the bucket that holds it.
func (now *reading) quantile(then *reading, q float64) float64 {
	if len(then.sched) != len(now.sched) {
		return 0
	}
	var total, seen uint64
	for i, c := range now.sched {
		total += c - then.sched[i]
	}
	if total == 0 {
		return 0
	}
	for i, c := range now.sched {
		if seen += c - then.sched[i]; float64(seen) >= q*float64(total) {
			if v := now.bounds[i+1]; !math.IsInf(v, 0) {
				return v
			}
			return now.bounds[i]
		}
	}
	return 0
}

// readRuntime reads the counters. Those of processors are in the runtime's own
// unit, which with more processors than cores is more than CPU time.
func readRuntime() reading {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"},
		{Name: "/sched/latencies:seconds"},
	}
	metrics.Read(s)
	idleGC := s[1].Value.Float64()
	h := s[4].Value.Float64Histogram()
	return reading{at: time.Now(), gc: s[0].Value.Float64() - idleGC,
		busy: s[2].Value.Float64() - s[3].Value.Float64() - idleGC, sched: h.Counts, bounds: h.Buckets}
}
