package node

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"

	"golang.org/x/sys/unix"

	"pushfleet/internal/pushdapi"
)

// threadTimes are a thread's seconds on a processor and in the run queue.
type threadTimes struct{ run, wait float64 }

// since is the time after an earlier look; a number of a thread may have been
// given to another one meanwhile.
func (t threadTimes) since(before threadTimes) threadTimes {
	if t.run < before.run || t.wait < before.wait {
		return t
	}
	return threadTimes{t.run - before.run, t.wait - before.wait}
}

// processLook is what the process has used until a moment.
type processLook struct {
	cpu, throttled float64 // seconds
	threads        map[int]threadTimes
	samples        []metrics.Sample
}

// Metrics of the runtime that a look reads, by index.
const (
	lookCycles = iota
	lookGC
	lookGCIdle
	lookAssist
	lookTotal
	lookIdle
	lookPauses
	lookLockWait
	lookSched
)

func lookNames() []string {
	return []string{"/gc/cycles/total:gc-cycles", "/cpu/classes/gc/total:cpu-seconds", "/cpu/classes/gc/mark/idle:cpu-seconds",
		"/cpu/classes/gc/mark/assist:cpu-seconds", "/cpu/classes/total:cpu-seconds", "/cpu/classes/idle:cpu-seconds", "/sched/pauses/total/gc:seconds", "/sync/mutex/wait/total:seconds", "/sched/latencies:seconds"}
}

// lookAtProcess reads some files per thread and stops nothing.
func lookAtProcess() (l processLook) {
	user, system, _ := cpuTimes()
	l.cpu, l.throttled, l.threads = user+system, throttled(), map[int]threadTimes{}
	for _, name := range lookNames() {
		l.samples = append(l.samples, metrics.Sample{Name: name})
	}
	metrics.Read(l.samples)
	dirs, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return l
	}
	for _, d := range dirs {
		tid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/self/task/" + d.Name() + "/schedstat")
		if f := bytes.Fields(b); err == nil && len(f) > 1 { // else it has ended, or the kernel does not count
			l.threads[tid] = threadTimes{nanos(f[0]), nanos(f[1])}
		}
	}
	return l
}

func nanos(b []byte) float64 {
	v, _ := strconv.ParseUint(string(b), 10, 64)
	return float64(v) / 1e9
}

// since tells what was used after an earlier look.
func (l *processLook) since(before *processLook) pushdapi.WatchedProcess {
	diff := func(i int) float64 { return l.samples[i].Value.Float64() - before.samples[i].Value.Float64() }
	p := pushdapi.WatchedProcess{Cores: cores(), CPUSeconds: l.cpu - before.cpu, ThrottledSeconds: l.throttled - before.throttled,
		GCCycles:        l.samples[lookCycles].Value.Uint64() - before.samples[lookCycles].Value.Uint64(),
		LockWaitSeconds: diff(lookLockWait)}
	// All in the runtime's own unit, time of its processors, which passes also
	// while the kernel lets others run: only shares of it mean something.
	if busy := diff(lookTotal) - diff(lookIdle) - diff(lookGCIdle); busy > 0 {
		p.GCShare = min(1, max(0, diff(lookGC)-diff(lookGCIdle))/busy)
		p.GCAssist = min(1, diff(lookAssist)/busy)
	}
	for tid, t := range l.threads {
		p.RunQueueSeconds += t.since(before.threads[tid]).wait
	}
	pauses := later(l.samples[lookPauses].Value.Float64Histogram(), before.samples[lookPauses].Value.Float64Histogram())
	p.GCPauseMax = quantile(pauses, 1)
	for i, n := range pauses.Counts {
		if n > 0 {
			p.GCPauseSeconds += float64(n) * bucketMiddle(pauses, i)
		}
	}
	p.SchedP99 = quantile(later(l.samples[lookSched].Value.Float64Histogram(), before.samples[lookSched].Value.Float64Histogram()), 0.99)
	return p
}

// later is what a histogram has counted after an earlier copy.
func later(now, before *metrics.Float64Histogram) *metrics.Float64Histogram {
	h := &metrics.Float64Histogram{Buckets: now.Buckets, Counts: make([]uint64, len(now.Counts))}
	for i := range h.Counts {
		h.Counts[i] = now.Counts[i] - before.Counts[i]
	}
	return h
}

// bucketMiddle stands for the values of a bucket; the outer ones have one end.
func bucketMiddle(h *metrics.Float64Histogram, i int) float64 {
	low, high := h.Buckets[i], h.Buckets[i+1]
	switch {
	case i == 0:
		return high
	case i == len(h.Counts)-1:
		return low
	}
	return (low + high) / 2
}

// cores is the number of processors that the process may use.
func cores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0
	}
	return set.Count()
}
