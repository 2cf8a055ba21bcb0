package probe

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pushfleet/bpf"
)

// BenchmarkBreakpoint is what a call costs with nothing in it, with a
// breakpoint at its entry, at its return, and with those of a probe of locks at
// both, which also take a stack.
func BenchmarkBreakpoint(b *testing.B) {
	var empty bpf.EmptyObjects
	if err := bpf.LoadEmptyObjects(&empty, nil); err != nil {
		b.Skipf("this host does not allow probes: %v", err)
	}
	defer empty.Close()
	t, err := Find(os.Getpid())
	if err != nil {
		b.Skip(err)
	}
	defer t.Close()
	lock, err := t.loadLock(&LockOptions{})
	if err != nil {
		b.Skip(err)
	}
	defer lock.Close()
	s, err := t.Bin.Site("pushfleet/pushctl/probe.calibrated")
	if err != nil {
		b.Fatal(err)
	}
	f := func(name string, points ...point) {
		b.Run(name, func(b *testing.B) {
			ls, err := t.attach(points...)
			if err != nil {
				b.Skip(err)
			}
			for i := range b.N {
				calibrated(i)
			}
			b.StopTimer()
			if err := ls.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
	f("none")
	f("entry", point{prog: empty.Empty, addrs: []uint64{s.Entry}})
	f("return", point{prog: empty.Empty, addrs: s.Returns})
	f("lock", point{lock.WaitEnd, s.Returns, kindMutex}, point{lock.WaitBegin, []uint64{s.Entry}, kindMutex})
}

// BenchmarkTracepoint is what the run of a program at a tracepoint costs, by
// the kernel's own count: here at each change of threads.
func BenchmarkTracepoint(b *testing.B) {
	t, err := FindAny(os.Getpid())
	if err != nil {
		b.Skip(err)
	}
	defer t.Close()
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Duration: time.Hour, Began: func() {
		nap := unix.NsecToTimespec(1)
		for range b.N {
			unix.Nanosleep(&nap, nil)
		}
		cancel()
	}}
	r, err := Sched(ctx, t, o)
	if err != nil {
		b.Skip(err)
	}
	b.ReportMetric(r.CostCPU*r.Seconds*1e9/float64(max(1, r.Hits)), "ns/hit")
}
