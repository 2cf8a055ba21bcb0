package recorder

import (
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/record"
)

// quickLook sees, every 100 ms, what costs some µs to see: the backlog, the
// connections, CPU of the process and waits for a processor.
type quickLook struct {
	queued, conns, user, system, waits, p50, p99, most int // where they stand
	samples                                            []metrics.Sample
	before, diff                                       []uint64
}

func newQuickLook(fields []record.Field) quickLook {
	s := record.Schema{Fields: fields}
	return quickLook{
		queued: s.Index("queued"), conns: s.Index("conns"), user: s.Index("process.user"), system: s.Index("process.system"),
		waits: s.Index("go.scheds"), p50: s.Index("go.sched_p50"), p99: s.Index("go.sched_p99"), most: s.Index("go.sched_max"),
		samples: []metrics.Sample{{Name: "/sched/latencies:seconds"}},
	}
}

// look fills r with little; everything else is missing.
func (s *sampler) look(now time.Time, queued, conns int64, r *record.Record) {
	begin := time.Now()
	s.begin(now, r)
	missing(r.V)
	q := &s.quick
	r.V[q.queued], r.V[q.conns] = queued, conns
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil {
		r.V[q.user], r.V[q.system] = u.Utime.Nano()/1000, u.Stime.Nano()/1000
	}
	metrics.Read(q.samples)
	if v := q.samples[0].Value; v.Kind() == metrics.KindFloat64Histogram {
		h := v.Float64Histogram()
		q.diff = since(q.diff[:0], h.Counts, q.before)
		q.before = append(q.before[:0], h.Counts...)
		total := uint64(0)
		for _, n := range h.Counts {
			total += n
		}
		r.V[q.waits] = int64(total)
		r.V[q.p50], r.V[q.p99], r.V[q.most] = spanNS(h.Buckets, q.diff, 0.5), spanNS(h.Buckets, q.diff, 0.99), spanNS(h.Buckets, q.diff, 1)
	}
	s.cost.took += time.Since(begin).Nanoseconds()
}

// before is the memory of the latest looks.
type before struct {
	ring []record.Record
	n    int // looks ever taken
}

func newBefore() *before { return &before{ring: make([]record.Record, beforeMax/lookEvery)} }

// next is the record to take the next look into; it is the oldest.
func (b *before) next() *record.Record {
	r := &b.ring[b.n%len(b.ring)]
	b.n++
	return r
}

// each calls f for the looks of the last span, the oldest first, and forgets
// all.
func (b *before) each(span time.Duration, f func(*record.Record)) {
	last := int64(0)
	if b.n > 0 {
		last = b.ring[(b.n-1)%len(b.ring)].Mono
	}
	for i := max(0, b.n-len(b.ring)); i < b.n; i++ {
		if r := &b.ring[i%len(b.ring)]; last-r.Mono < span.Milliseconds() {
			f(r)
		}
	}
	b.n = 0
}
