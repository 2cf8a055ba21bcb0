package probe

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
	"pushfleet/bpf"
)

// Cost is what one breakpoint takes on this host, without what the probe does
// there.
type Cost struct {
	Push   time.Duration `json:"push_ns"`   // at push %rbp, which the kernel emulates
	Return time.Duration `json:"return_ns"` // at ret, which it may single-step
}

// Rounds of a calibration: the least of several, since a neighbour only adds.
const (
	costRounds = 5
	costCalls  = 200
)

// Calibrate measures breakpoints on a function of this very process, which
// takes about 10 ms.
func Calibrate() (Cost, error) {
	t, err := Find(os.Getpid())
	if err != nil {
		return Cost{}, err
	}
	defer t.Close()
	spec, err := bpf.LoadEmpty()
	if err != nil {
		return Cost{}, err
	}
	t.fit(spec)
	var objs bpf.EmptyObjects
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return Cost{}, needs(err)
	}
	defer objs.Close()
	s, err := t.Bin.Site("pushfleet/pushctl/probe.calibrated")
	if err != nil {
		return Cost{}, err
	}
	bare := callTime()
	at := func(addrs ...uint64) (time.Duration, error) {
		ls, err := t.attach(point{prog: objs.Empty, addrs: addrs})
		if err != nil {
			return 0, err
		}
		took := max(0, callTime()-bare)
		return took, ls.Close()
	}
	var c Cost
	if c.Push, err = at(s.Entry); err != nil {
		return c, fmt.Errorf("calibrate: %w", err)
	}
	if c.Return, err = at(s.Returns...); err != nil {
		return c, fmt.Errorf("calibrate: %w", err)
	}
	return c, nil
}

// callTime is the time of one call of calibrated.
func callTime() time.Duration {
	best := time.Hour
	for range costRounds {
		start := time.Now()
		for i := range costCalls {
			calibrated(i)
		}
		best = min(best, time.Since(start)/costCalls)
	}
	return best
}

// calibrated has a frame of its own, because it calls.
//
//go:noinline
func calibrated(n int) int { return leaf(n) + 1 }

//go:noinline
func leaf(n int) int { return n }

// watched is a program and what reaching it costs; tracepoints cost nothing
// worth counting.
type watched struct {
	prog *ebpf.Program
	trap time.Duration
}

// meter estimates what a probe takes from its target.
type meter struct {
	progs []watched
	stats io.Closer // nil where the kernel does not count for us
	mean  time.Duration
}

// bodyGuess is what a program takes where the kernel does not say.
const bodyGuess = 700 * time.Nanosecond

// newMeter counts from now on. Close it.
func newMeter(c Cost, progs ...watched) *meter {
	m := &meter{progs: progs, mean: (c.Push+c.Return)/2 + bodyGuess}
	if s, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME)); err == nil { // needs CAP_SYS_ADMIN
		m.stats = s
	}
	return m
}

// Close stops counting.
func (m *meter) Close() {
	if m.stats != nil {
		m.stats.Close()
	}
}

// spent is CPU time taken so far: that of the programs by the kernel's own
// count, and that of the traps by calibration.
func (m *meter) spent(counters *ebpf.Map) time.Duration {
	if m.stats == nil {
		hits, _, err := readCounters(counters)
		if err != nil { // then nothing else can be read either, and the report says so
			return 0
		}
		return time.Duration(hits) * m.mean
	}
	var sum time.Duration
	for _, w := range m.progs {
		if st, err := w.prog.Stats(); err == nil {
			sum += st.Runtime + time.Duration(st.RunCount)*w.trap
		}
	}
	return sum
}

// missed is how often the kernel skipped the programs.
func (m *meter) missed() uint64 {
	var n uint64
	for _, w := range m.progs {
		if st, err := w.prog.Stats(); err == nil {
			n += st.RecursionMisses
		}
	}
	return n
}
