package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"pushfleet/bpf"
	"pushfleet/pushctl/probe/gobin"
)

// CPUOptions are those of a profile of where a process computes.
type CPUOptions struct {
	Options
	Hertz int // looks per second and processor, 1 to HertzMax
}

// HertzMax bounds how often a profile looks.
const HertzMax = 1000

// CPUReport is where a process was when a clock ticked.
type CPUReport struct {
	Run
	Hertz     int        `json:"hertz"`
	Samples   uint64     `json:"samples"`
	CPU       float64    `json:"cpu_seconds"` // estimated from the samples
	Functions []Function `json:"functions"`   // most own samples first

	stacks []Weighted
}

// Function is how often one was at work.
type Function struct {
	Func string `json:"func"`
	Own  uint64 `json:"own_samples"`
	All  uint64 `json:"all_samples"` // with what it called
}

// CPU profiles a process by the kernel's clock: also its time in the kernel,
// and also where it does not let Go's own profiler in.
func CPU(ctx context.Context, t *Target, o CPUOptions) (*CPUReport, error) {
	if err := rootPIDs(); err != nil {
		return nil, err
	}
	names, err := kernelNames(true)
	if err != nil {
		return nil, err
	}
	spec, err := bpf.LoadCPU()
	if err != nil {
		return nil, err
	}
	var v bpf.CPUVariableSpecs
	if err := spec.Assign(&v); err != nil {
		return nil, err
	}
	if err := v.Tgid.Set(uint32(t.PID)); err != nil {
		return nil, err
	}
	var objs bpf.CPUObjects
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return nil, fmt.Errorf("load the probe: %w", needs(err))
	}
	defer objs.Close()
	s := &session{t: t, o: o.Options, counters: objs.Counters, began: time.Now(), meter: newMeter(Cost{}, watched{prog: objs.Sample})}
	defer s.meter.Close()
	if s.links, err = clocks(objs.Sample, o.Hertz); err != nil {
		return nil, err
	}
	end, err := s.run(ctx, nil)
	if err != nil {
		return nil, err
	}
	r := &CPUReport{Hertz: o.Hertz}
	if err := r.read(t, &objs, names); err != nil {
		return nil, err
	}
	r.Run, err = s.about(end)
	return r, err
}

// clock is a program on the software clock of one processor.
type clock struct {
	*link.RawLink
	fd int
}

// Close stops the clock.
func (c *clock) Close() error { return errors.Join(c.RawLink.Close(), unix.Close(c.fd)) }

// clocks starts one per processor that is there.
func clocks(prog *ebpf.Program, hertz int) (links, error) {
	n, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	var ls links
	for cpu := range n {
		l, err := startClock(prog, cpu, hertz)
		if errors.Is(err, unix.ENODEV) {
			continue // switched off
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("clock of processor %d: %w", cpu, needs(err)), ls.Close())
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func startClock(prog *ebpf.Program, cpu, hertz int) (link.Link, error) {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: uint64(hertz), Bits: unix.PerfBitFreq}
	attr.Size = unix.PERF_ATTR_SIZE_VER8
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: fd, Program: prog, Attach: ebpf.AttachPerfEvent})
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &clock{l, fd}, nil
}

func (r *CPUReport) read(t *Target, objs *bpf.CPUObjects, names kernelSymbols) error {
	period := uint64(time.Second) / uint64(r.Hertz)
	var p bpf.CPUPlace
	var n uint64
	it := objs.Places.Iterate()
	for it.Next(&p, &n) {
		var s Stack
		for _, fn := range names.stack(objs.Stacks, p.Kstack) {
			s = append(s, gobin.Frame{Func: fn})
		}
		s = append(s, t.userStack(objs.Stacks, p.Stack)...)
		r.stacks = append(r.stacks, Weighted{s, "cpu", n, n * period})
		r.Samples += n
	}
	r.CPU, r.Functions = seconds(r.Samples*period), functions(r.stacks)
	return readErr(it)
}

// Stacks returns the samples by their stacks.
func (r *CPUReport) Stacks() []Weighted { return r.stacks }

// functions counts samples by function, each once per stack.
func functions(ws []Weighted) []Function {
	at := map[string]*Function{}
	for _, w := range ws {
		seen := map[string]bool{}
		for i, f := range w.Stack {
			if at[f.Func] == nil {
				at[f.Func] = &Function{Func: f.Func}
			}
			if i == 0 {
				at[f.Func].Own += w.Count
			}
			if !seen[f.Func] {
				seen[f.Func] = true
				at[f.Func].All += w.Count
			}
		}
	}
	out := []Function{}
	for _, f := range at {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Function) int { return strings.Compare(a.Func, b.Func) })
	sortBy(out, func(f *Function) float64 { return float64(f.All) })
	sortBy(out, func(f *Function) float64 { return float64(f.Own) })
	return out
}
