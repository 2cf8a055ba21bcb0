package recorder

import (
	"context"
	"runtime"
	"time"

	"pushfleet/internal/record"
)

// sampler takes records: of everything, or, for the memory of what was before
// a burst, of what is cheapest to see. It has one owner.
type sampler struct {
	fields  []record.Field
	kernel  []*source
	steady  parts // told once a second
	hurried parts // told every 100 ms of a burst
	ask     func(context.Context, *Figures)
	figures Figures
	began   time.Time // of the run, by the clock that is never set
	buf     []byte

	// Where the parts stand in a record.
	atKernel             []int
	atProcess, atRuntime int
	atNode, atCost       int
	quick                quickLook
	cost                 cost
}

// parts are those whose numbers are about the time since the record before:
// there are two sorts of records, hence two times.
type parts struct {
	runtime *goRuntime
	node    *nodePart
}

// cost is what recording itself takes.
type cost struct {
	took    int64 // ns in all
	written int64 // bytes in all
	last    int64 // ns of the record before
}

func costFields() []record.Field {
	return []record.Field{
		{Name: "recorder.time", Unit: "%", Kind: record.Counter, Scale: 1e-7, Help: "Time spent on recording, in % of one core; more than its CPU when it had to wait."},
		{Name: "recorder.took", Unit: "s", Kind: record.Peak, Scale: 1e-9, Help: "Time spent on the record before."},
		{Name: "recorder.bytes", Unit: "B", Kind: record.Counter, Help: "Bytes written by the recorder."},
	}
}

// newSampler makes a sampler; blocks is /sys/block.
func newSampler(blocks string, ask func(context.Context, *Figures)) *sampler {
	s := &sampler{steady: parts{newGoRuntime(), newNodePart()}, hurried: parts{newGoRuntime(), newNodePart()}, ask: ask, began: time.Now(), buf: make([]byte, 16<<10)}
	add := func(f []record.Field) int {
		at := len(s.fields)
		s.fields = append(s.fields, f...)
		return at
	}
	// What people look at first stands first.
	s.atNode = add(s.steady.node.fields)
	s.kernel = kernelSources(runtime.NumCPU(), disks(blocks))
	for _, k := range s.kernel {
		s.atKernel = append(s.atKernel, add(k.fields))
	}
	s.atProcess = add(processFields())
	s.atRuntime = add(s.steady.runtime.fields)
	s.atCost = add(costFields())
	s.quick = newQuickLook(s.fields)
	return s
}

// take fills r with everything as of now, for the record of a second.
func (s *sampler) take(ctx context.Context, now time.Time, r *record.Record) {
	s.gather(ctx, now, r, &s.steady)
}

// takeHurried does so for a record of a burst, which hurry begins.
func (s *sampler) takeHurried(ctx context.Context, now time.Time, r *record.Record) {
	s.gather(ctx, now, r, &s.hurried)
}

// hurry has the next record of a burst begin where the last one of a second
// ended.
func (s *sampler) hurry() {
	*s.hurried.node = *s.steady.node
	for i, counts := range s.steady.runtime.before {
		s.hurried.runtime.before[i] = append(s.hurried.runtime.before[i][:0], counts...)
	}
}

func (s *sampler) gather(ctx context.Context, now time.Time, r *record.Record, p *parts) {
	begin := time.Now()
	s.begin(now, r)
	for i, k := range s.kernel {
		k.read(&s.buf, r.V[s.atKernel[i]:s.atKernel[i]+len(k.fields)])
	}
	readProcess(r.V[s.atProcess:s.atRuntime])
	p.runtime.read(r.V[s.atRuntime : s.atRuntime+len(p.runtime.fields)])
	s.ask(ctx, &s.figures)
	p.node.put(&s.figures, r.V[s.atNode:s.atNode+len(p.node.fields)])
	v := r.V[s.atCost:]
	v[0], v[1], v[2] = s.cost.took, s.cost.last, s.cost.written
	s.cost.last = time.Since(begin).Nanoseconds()
	s.cost.took += s.cost.last
}

func (s *sampler) begin(now time.Time, r *record.Record) {
	if len(r.V) != len(s.fields) {
		r.V = make([]int64, len(s.fields))
	}
	r.At, r.Mono = now.UnixMilli(), now.Sub(s.began).Milliseconds()
}

// gap is what cannot be read, and why.
type gap struct {
	path, why string
	fields    []string
}

func (s *sampler) gaps() (all []gap) {
	for _, k := range s.kernel {
		if k.why != "" {
			g := gap{path: k.path, why: k.why}
			for _, f := range k.fields {
				g.fields = append(g.fields, f.Name)
			}
			all = append(all, g)
		}
	}
	return all
}

// open opens what can be opened below root, which is /proc.
func (s *sampler) open(root string) {
	for _, k := range s.kernel {
		k.open(root)
	}
}

func (s *sampler) close() {
	for _, k := range s.kernel {
		k.close()
	}
}
