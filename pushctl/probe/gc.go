package probe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"pushfleet/bpf"
)

// Offsets in runtime.gcControllerState of Go 1.26.
const (
	offHeapLive   = 104
	offHeapMarked = 152
	offLastGoal   = 96
	offAssistTime = 192
)

// GCOptions are those of a probe of the collector.
type GCOptions struct {
	Options
	Assist bool         // also when goroutines must help, by stack
	Cycle  func(*Cycle) // told of each cycle at its end; may be nil
}

// GCReport is what a probe of the collector saw.
type GCReport struct {
	Run
	Cycles  []*Cycle `json:"cycles"` // the last ones, at most CyclesMax
	Count   int      `json:"cycles_count"`
	Pauses  Times    `json:"pauses"`
	Hist    []Bar    `json:"pauses_hist"`
	Other   Times    `json:"other_stops"`       // of the world, not by the collector
	Assists []Assist `json:"assists,omitempty"` // by the line that wanted memory, largest total first
	// Runtime is what the process says itself; nil where nobody asked it. GC
	// leaves it to its caller.
	Runtime *Agreement `json:"runtime,omitempty"`

	ends   []ended
	stacks []Weighted // of assists
}

// Assist is where goroutines had to mark before they could allocate.
type Assist struct {
	Times
	Stack Stack `json:"stack"` // of one of them
}

// CyclesMax is how many cycles a report keeps.
const CyclesMax = 4096

// GC watches the collector of a process.
func GC(ctx context.Context, t *Target, o GCOptions) (*GCReport, error) {
	objs, err := t.loadGC()
	if err != nil {
		return nil, err
	}
	defer objs.Close()
	rd, err := ringbuf.NewReader(objs.Events)
	if err != nil {
		return nil, fmt.Errorf("ring buffer: %w", needs(err))
	}
	defer rd.Close()
	s, err := t.watchGC(objs, &o)
	if err != nil {
		return nil, err
	}
	defer s.meter.Close()
	r := &GCReport{Cycles: []*Cycle{}}
	// Reads until Flush, which comes after the breakpoints are gone.
	var cs cycles
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		err := r.collect(rd, &cs, o.Cycle)
		if err != nil {
			cancel() // an ABI that differs ends the probe at once
		}
		done <- err
	}()
	end, err := s.run(ctx, nil)
	err = errors.Join(err, rd.Flush(), <-done)
	if err != nil {
		return nil, err
	}
	if r.Run, err = s.about(end); err != nil {
		return nil, err
	}
	r.Count, r.Pauses, r.Hist, r.Other = cs.n, cs.pauses.times(), cs.pauses.Bars(), cs.other.times()
	r.ends = cs.ends
	if cs.cur != nil {
		r.Count-- // has not ended
	}
	if o.Assist {
		err = r.readAssists(t, objs)
	}
	return r, err
}

func (t *Target) loadGC() (*bpf.GCObjects, error) {
	spec, err := bpf.LoadGC()
	if err != nil {
		return nil, err
	}
	var v bpf.GCVariableSpecs
	if err := spec.Assign(&v); err != nil {
		return nil, err
	}
	if err := errors.Join(v.OffHeapLive.Set(uint32(offHeapLive)), v.OffHeapMarked.Set(uint32(offHeapMarked)), v.OffLastGoal.Set(uint32(offLastGoal)),
		v.OffAssistTime.Set(uint32(offAssistTime))); err != nil {
		return nil, err
	}
	t.fit(spec)
	objs := new(bpf.GCObjects)
	if err := spec.LoadAndAssign(objs, nil); err != nil {
		return nil, fmt.Errorf("load the probe: %w", needs(err))
	}
	return objs, nil
}

// watchGC places the breakpoints, returns before entries.
func (t *Target) watchGC(objs *bpf.GCObjects, o *GCOptions) (*session, error) {
	cost, err := Calibrate()
	if err != nil {
		return nil, err
	}
	world, err := t.Bin.Site("runtime.startTheWorldWithSema")
	if err != nil {
		return nil, err
	}
	start, err := t.Bin.Site("runtime.(*gcControllerState).startCycle")
	if err != nil {
		return nil, err
	}
	end, err := t.Bin.Site("runtime.(*gcControllerState).endCycle")
	if err != nil {
		return nil, err
	}
	points := []point{
		{prog: objs.WorldStarted, addrs: world.Returns},
		{prog: objs.StartWorld, addrs: []uint64{world.Entry}},
		{prog: objs.EndCycle, addrs: []uint64{end.Entry}},
		{prog: objs.StartCycle, addrs: []uint64{start.Entry}},
	}
	progs := []watched{{objs.WorldStarted, cost.Return}, {objs.StartWorld, cost.Push}, {objs.EndCycle, cost.Push}, {objs.StartCycle, cost.Push}}
	if o.Assist {
		assist, err := t.Bin.Site("runtime.gcAssistAlloc")
		if err != nil {
			return nil, err
		}
		points = append(points, point{prog: objs.AssistEnd, addrs: assist.Returns}, point{prog: objs.AssistBegin, addrs: []uint64{assist.Entry}})
		progs = append(progs, watched{objs.AssistEnd, cost.Return}, watched{objs.AssistBegin, cost.Push})
	}
	s := &session{t: t, o: o.Options, counters: objs.Counters, meter: newMeter(cost, progs...), began: time.Now()}
	if s.links, err = t.attach(points...); err != nil {
		s.meter.Close()
		return nil, err
	}
	return s, nil
}

// collect reads events until the reader is flushed.
func (r *GCReport) collect(rd *ringbuf.Reader, cs *cycles, tell func(*Cycle)) error {
	for {
		rec, err := rd.Read()
		if errors.Is(err, ringbuf.ErrFlushed) || errors.Is(err, ringbuf.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		e, err := readEvent(rec.RawSample)
		if err != nil {
			return err
		}
		c, err := cs.add(e)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		c.At = wall(e.e)
		if len(r.Cycles) == CyclesMax {
			r.Cycles = r.Cycles[1:]
		}
		if r.Cycles = append(r.Cycles, c); tell != nil {
			tell(c)
		}
	}
}

// readAssists adds up what the kernel counted for each stack by line.
func (r *GCReport) readAssists(t *Target, objs *bpf.GCObjects) error {
	waits, stacks := map[string]*Waits{}, map[string]Stack{}
	var key uint64
	var w bpf.GCWaits
	it := objs.Assists.Iterate()
	for it.Next(&key, &w) {
		v, stack := Waits{w.Count, w.Sum, w.Max, w.Hist}, t.userStack(objs.Stacks, int32(key))
		r.stacks = append(r.stacks, Weighted{stack, "assist", v.Count, v.Sum})
		at := plain(stack.Site())
		if waits[at] == nil {
			waits[at], stacks[at] = &Waits{}, stack
		}
		waits[at].Merge(&v)
	}
	for _, at := range slices.Sorted(maps.Keys(waits)) {
		r.Assists = append(r.Assists, Assist{waits[at].times(), stacks[at]})
	}
	sortBy(r.Assists, func(a *Assist) float64 { return a.Total })
	return readErr(it)
}

func readErr(it *ebpf.MapIterator) error {
	if err := it.Err(); err != nil {
		return fmt.Errorf("read what was counted: %w", err)
	}
	return nil
}
