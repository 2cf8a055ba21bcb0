package prom

import (
	"bytes"
	"fmt"
	"math"
	"runtime/metrics"

	"pushfleet/internal/hist"
)

// runtimeMetric is one number of the runtime under the name that dashboards of
// Go programs know. Several names are added up.
type runtimeMetric struct {
	name, kind, help string
	of               []string
}

// runtimeTable is read with runtime/metrics, which unlike ReadMemStats stops
// nothing. The library's WriteProcessMetrics also walks /proc/self/fd, which
// takes long with very many connections.
func runtimeTable() []runtimeMetric {
	const heap = "/memory/classes/heap/"
	return []runtimeMetric{
		{"go_threads", "gauge", "Threads of the process that Go made.", []string{"/sched/threads/total:threads"}},
		{"go_gomaxprocs", "gauge", "Threads that may run Go code at once.", []string{"/sched/gomaxprocs:threads"}},
		{"go_gc_cycles_total", "counter", "Garbage collections.", []string{"/gc/cycles/total:gc-cycles"}},
		{"go_gc_cpu_seconds_total", "counter", "Estimated CPU of garbage collection.", []string{"/cpu/classes/gc/total:cpu-seconds"}},
		{"go_gc_mark_assist_cpu_seconds_total", "counter", "Estimated CPU that allocating goroutines gave to the collector.", []string{"/cpu/classes/gc/mark/assist:cpu-seconds"}},
		{"go_mutex_wait_seconds_total", "counter", "Time that goroutines waited for locks.", []string{"/sync/mutex/wait/total:seconds"}},
		{"go_memlimit_bytes", "gauge", "GOMEMLIMIT.", []string{"/gc/gomemlimit:bytes"}},
		{"go_memstats_alloc_bytes_total", "counter", "Bytes allocated on the heap.", []string{"/gc/heap/allocs:bytes"}},
		{"go_memstats_mallocs_total", "counter", "Objects allocated on the heap.", []string{"/gc/heap/allocs:objects", "/gc/heap/tiny/allocs:objects"}},
		{"go_memstats_frees_total", "counter", "Objects freed.", []string{"/gc/heap/frees:objects", "/gc/heap/tiny/allocs:objects"}},
		{"go_memstats_heap_alloc_bytes", "gauge", "Bytes of objects on the heap.", []string{heap + "objects:bytes"}},
		{"go_memstats_heap_objects", "gauge", "Objects on the heap.", []string{"/gc/heap/objects:objects"}},
		{"go_memstats_heap_inuse_bytes", "gauge", "Bytes of spans in use.", []string{heap + "objects:bytes", heap + "unused:bytes"}},
		{"go_memstats_heap_idle_bytes", "gauge", "Bytes of the heap not in use.", []string{heap + "free:bytes", heap + "released:bytes"}},
		{"go_memstats_heap_released_bytes", "gauge", "Bytes of the heap given back.", []string{heap + "released:bytes"}},
		{"go_memstats_stack_inuse_bytes", "gauge", "Bytes of stacks.", []string{heap + "stacks:bytes"}},
		{"go_memstats_next_gc_bytes", "gauge", "Heap size at which the next collection ends.", []string{"/gc/heap/goal:bytes"}},
		{"go_memstats_sys_bytes", "gauge", "Bytes mapped by the Go runtime.", []string{"/memory/classes/total:bytes"}},
	}
}

func runtimeHistograms() []runtimeMetric {
	return []runtimeMetric{
		{name: "go_gc_pauses_seconds", help: "Times that garbage collection stopped the program; the sum is estimated from the runtime's buckets.", of: []string{"/sched/pauses/total/gc:seconds"}},
		{name: "go_sched_latencies_seconds", help: "Times that goroutines waited for a processor; the sum is estimated from the runtime's buckets.", of: []string{"/sched/latencies:seconds"}},
	}
}

// Runtime writes what the Go runtime tells: go_gc…, go_sched…, go_memstats….
func (p *Page) Runtime() {
	table, hists := runtimeTable(), runtimeHistograms()
	values := readRuntime(append(table, hists...))
	for _, m := range table {
		sum := 0.0
		for _, name := range m.of {
			sum += number64(values[name])
		}
		if m.kind == "counter" {
			p.Counter(m.name, m.help, sum)
		} else {
			p.Gauge(m.name, m.help, sum)
		}
	}
	bounds := append([]float64{1e-6, 2.5e-6, 5e-6}, hist.LatencyBounds()...)
	for _, m := range hists {
		p.Family(m.name, "histogram", m.help)
		if v := values[m.of[0]]; v.Kind() == metrics.KindFloat64Histogram {
			p.Held(leOf(m.name, v.Float64Histogram(), bounds))
		}
	}
}

// readRuntime reads all numbers at once.
func readRuntime(table []runtimeMetric) map[string]metrics.Value {
	var samples []metrics.Sample
	for _, m := range table {
		for _, name := range m.of {
			samples = append(samples, metrics.Sample{Name: name})
		}
	}
	metrics.Read(samples)
	values := make(map[string]metrics.Value, len(samples))
	for _, s := range samples {
		values[s.Name] = s.Value
	}
	return values
}

// number64 is 0 for a number that this runtime does not have.
func number64(v metrics.Value) float64 {
	switch v.Kind() {
	case metrics.KindUint64:
		return float64(v.Uint64())
	case metrics.KindFloat64:
		return v.Float64()
	}
	return 0
}

// leOf writes a histogram of the runtime with fewer buckets. One that straddles
// a bound counts on the side where its middle lies.
func leOf(name string, h *metrics.Float64Histogram, bounds []float64) []byte {
	var b bytes.Buffer
	total, sum, k := uint64(0), 0.0, 0
	for i, n := range h.Counts {
		mid := middle(h.Buckets[i], h.Buckets[i+1])
		for k < len(bounds) && mid > bounds[k] {
			fmt.Fprintf(&b, "%s_bucket{le=\"%g\"} %d\n", name, bounds[k], total)
			k++
		}
		total += n
		sum += float64(n) * mid
	}
	for ; k < len(bounds); k++ {
		fmt.Fprintf(&b, "%s_bucket{le=\"%g\"} %d\n", name, bounds[k], total)
	}
	fmt.Fprintf(&b, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", name, total, name, sum, name, total)
	return b.Bytes()
}

// middle of a bucket; of one without end its other bound.
func middle(low, high float64) float64 {
	switch {
	case math.IsInf(low, -1):
		return high
	case math.IsInf(high, 1):
		return low
	}
	return (low + high) / 2
}
