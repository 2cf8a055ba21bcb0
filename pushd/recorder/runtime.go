package recorder

import (
	"math"
	"runtime/metrics"

	"pushfleet/internal/record"
)

// goColumn is one number of the Go runtime.
type goColumn struct {
	runtime string
	times   float64 // what its number is multiplied by before it is stored
	field   record.Field
}

func goColumns() []goColumn {
	c := func(runtime, name, unit string, times, scale float64, help string) goColumn {
		return goColumn{runtime, times, record.Field{Name: "go." + name, Unit: unit, Kind: record.Counter, Scale: scale, Help: help}}
	}
	g := func(runtime, name, unit, help string) goColumn {
		return goColumn{runtime, 1, record.Field{Name: "go." + name, Unit: unit, Kind: record.Gauge, Help: help}}
	}
	const µs, percent = 1e6, 1e-4
	return []goColumn{
		c("/gc/cycles/total:gc-cycles", "gc_cycles", "", 1, 0, "Garbage collections."),
		c("/cpu/classes/gc/total:cpu-seconds", "gc_cpu", "%", µs, percent, "CPU of garbage collection, idle processors included, in % of one core; the runtime says it at the end of a collection."),
		c("/cpu/classes/gc/mark/assist:cpu-seconds", "gc_assist", "%", µs, percent, "CPU that allocating goroutines gave to the collector."),
		c("/sync/mutex/wait/total:seconds", "lock_wait", "%", µs, percent, "Time that goroutines waited for locks, of all together."),
		c("/gc/heap/allocs:bytes", "allocated", "B", 1, 0, "Bytes allocated on the heap."),
		c("/gc/heap/allocs:objects", "allocations", "", 1, 0, "Objects allocated on the heap."),
		g("/sched/goroutines:goroutines", "goroutines", "", "Goroutines."),
		g("/sched/threads/total:threads", "threads", "", "Threads of the Go runtime."),
		g("/memory/classes/heap/objects:bytes", "heap", "B", "Objects on the heap, dead ones not yet swept included."),
		g("/gc/heap/live:bytes", "heap_live", "B", "Objects that the last collection found alive."),
		g("/gc/heap/goal:bytes", "heap_goal", "B", "Heap size at which the next collection ends."),
		g("/memory/classes/heap/stacks:bytes", "stacks", "B", "Stacks of goroutines."),
		g("/memory/classes/total:bytes", "memory", "B", "Memory mapped by the Go runtime."),
	}
}

// goSpans are histograms of times, of which each record tells the part since
// the record before.
type goSpan struct {
	runtime, name, what string
}

func goSpans() []goSpan {
	return []goSpan{
		{"/sched/pauses/total/gc:seconds", "gc_pause", "stops of the program by garbage collection"},
		{"/sched/latencies:seconds", "sched", "waits of goroutines for a processor"},
	}
}

// Fields of a span, in this order. Times are stored in ns.
const spanFields = 4

func spanTable(s goSpan) []record.Field {
	p := func(end, help string) record.Field {
		return record.Field{Name: "go." + s.name + end, Unit: "s", Kind: record.Peak, Scale: 1e-9, Help: help}
	}
	return []record.Field{
		{Name: "go." + s.name + "s", Kind: record.Counter, Help: "Number of " + s.what + "."},
		p("_p50", "Median of "+s.what+" since the record before."), p("_p99", "99 of 100 "+s.what+" were not longer."), p("_max", "Longest of "+s.what+"."),
	}
}

// goRuntime reads runtime/metrics, which stops nothing.
type goRuntime struct {
	fields  []record.Field
	columns []goColumn
	samples []metrics.Sample // columns, then spans
	before  [][]uint64       // counts of each span
	diff    []uint64         // scratch
}

func newGoRuntime() *goRuntime {
	g := &goRuntime{columns: goColumns()}
	for _, c := range g.columns {
		g.fields = append(g.fields, c.field)
		g.samples = append(g.samples, metrics.Sample{Name: c.runtime})
	}
	for _, s := range goSpans() {
		g.fields = append(g.fields, spanTable(s)...)
		g.samples = append(g.samples, metrics.Sample{Name: s.runtime})
		g.before = append(g.before, nil)
	}
	return g
}

// read takes all numbers at once.
func (g *goRuntime) read(v []int64) {
	metrics.Read(g.samples)
	for i, c := range g.columns {
		v[i] = goNumber(g.samples[i].Value, c.times)
	}
	for i := range g.before {
		g.span(i, g.samples[len(g.columns)+i].Value, v[len(g.columns)+i*spanFields:])
	}
}

// goNumber is Missing for a number that this runtime does not have.
func goNumber(v metrics.Value, times float64) int64 {
	switch v.Kind() {
	case metrics.KindUint64:
		return int64(v.Uint64())
	case metrics.KindFloat64:
		return int64(math.Round(v.Float64() * times))
	}
	return record.Missing
}

func (g *goRuntime) span(i int, value metrics.Value, v []int64) {
	if value.Kind() != metrics.KindFloat64Histogram {
		for k := range spanFields {
			v[k] = record.Missing
		}
		return
	}
	h := value.Float64Histogram()
	total := int64(0)
	for _, n := range h.Counts {
		total += int64(n)
	}
	v[0] = total
	g.diff = since(g.diff[:0], h.Counts, g.before[i])
	g.before[i] = append(g.before[i][:0], h.Counts...)
	v[1], v[2], v[3] = spanNS(h.Buckets, g.diff, 0.5), spanNS(h.Buckets, g.diff, 0.99), spanNS(h.Buckets, g.diff, 1)
}

// since appends counts without those of before; all of them the first time.
func since(to, counts, before []uint64) []uint64 {
	for i, n := range counts {
		if i < len(before) {
			n -= before[i]
		}
		to = append(to, n)
	}
	return to
}

// spanNS is the upper bound in ns of the bucket that holds quantile q, Missing
// when nothing was counted.
func spanNS(bounds []float64, counts []uint64, q float64) int64 {
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return record.Missing
	}
	need, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
	for i, n := range counts {
		if seen += n; seen >= need {
			high := bounds[i+1]
			if math.IsInf(high, 1) {
				high = bounds[i]
			}
			return int64(math.Round(high * 1e9))
		}
	}
	return record.Missing
}
