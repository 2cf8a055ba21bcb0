package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
	"pushfleet/bpf"
	"pushfleet/pushctl/probe/gobin"
)

// offGoid is the offset of goid in runtime.g of Go 1.26.
const offGoid = 152

// Kinds of locks, as in bpf/lock.bpf.c.
const (
	kindMutex = iota + 1
	kindRLock
	kindLock
	kindHolder
	kindKernel
	kindRuntime
)

// By is what contended waits are told apart by.
type By string

// The ways to tell waits apart.
const (
	BySite      By = "site"      // the line of the program that takes the lock
	ByStack     By = "stack"     // the whole way there
	ByLock      By = "lock"      // the address of the lock, and the line
	ByGoroutine By = "goroutine" // the goroutine, and the line
)

// Ways returns them all.
func Ways() []By { return []By{BySite, ByStack, ByLock, ByGoroutine} }

// LockOptions are those of a probe of locks.
type LockOptions struct {
	Options
	Go, Kernel bool          // which locks; at least one. Go is those of package sync and of its runtime
	Min        time.Duration // shorter waits are not counted
	By         By
	Holders    bool              // also who keeps Go's locks
	Look       func(*LockReport) // told what was counted so far every Interval; may be nil
}

// LockReport is what a probe of locks saw. A wait ends when the goroutine runs
// again, so it includes its time in the run queue.
type LockReport struct {
	Run
	By      By      `json:"by"`
	Go      Times   `json:"go_waits"`      // of package sync
	Runtime Times   `json:"runtime_waits"` // that put a thread to sleep; shorter ones spin and are not seen
	Kernel  Times   `json:"kernel_waits"`
	Sites   []Site  `json:"sites"` // largest total first
	Waiting []Still `json:"still_waiting"`
	Hist    []Bar   `json:"hist"`

	counted []counted
}

// Site is contended waits of one place.
type Site struct {
	Kind      string   `json:"kind"` // mutex, rlock, lock; runtime; of the kernel spin, read, write, rtmutex, percpu, mutex
	InKernel  bool     `json:"in_kernel"`
	Lock      uint64   `json:"lock,omitempty"`
	Goroutine uint64   `json:"goroutine,omitempty"`
	Times              // of the waits
	Stack     Stack    `json:"stack"`                  // of one of them
	Frames    []string `json:"kernel_stack,omitempty"` // innermost first
	Holders   []Holder `json:"holders,omitempty"`      // most frequent first

	waits Waits
}

// Holder is a place that gave up a lock that others waited for.
type Holder struct {
	Count uint64 `json:"count"`
	Stack Stack  `json:"stack"`
}

// Still is goroutines that waited for a lock when the probe ended.
type Still struct {
	Kind       string   `json:"kind"`
	Lock       uint64   `json:"lock"`
	Goroutines []uint64 `json:"goroutines"`
	Oldest     float64  `json:"oldest_seconds"` // since the probe saw it begin
	Stack      Stack    `json:"stack"`
}

// Locks watches contended locks of a process.
func Locks(ctx context.Context, t *Target, o LockOptions) (*LockReport, error) {
	if o.Kernel {
		if err := rootPIDs(); err != nil {
			return nil, err
		}
	}
	objs, err := t.loadLock(&o)
	if err != nil {
		return nil, err
	}
	defer objs.Close()
	names, err := kernelNames(o.Kernel)
	if err != nil {
		return nil, err
	}
	s, err := t.watchLocks(objs, &o)
	if err != nil {
		return nil, err
	}
	defer s.meter.Close()
	rd := &lockReader{t: t, objs: objs, o: &o, kernel: names}
	end, err := s.run(ctx, func() error {
		r, err := rd.report(s, "")
		if err == nil && o.Look != nil {
			o.Look(r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return rd.report(s, end)
}

// loadLock tells the programs in the kernel what to count.
func (t *Target) loadLock(o *LockOptions) (*bpf.LockObjects, error) {
	spec, err := bpf.LoadLock()
	if err != nil {
		return nil, err
	}
	var v bpf.LockVariableSpecs
	if err := spec.Assign(&v); err != nil {
		return nil, err
	}
	split := uint32(0)
	switch {
	case o.By == ByGoroutine:
		split = 2
	case o.By == ByLock, o.Holders: // a holder is found by its lock
		split = 1
	}
	err = errors.Join(v.Tgid.Set(uint32(t.PID)), v.Split.Set(split), v.MinNs.Set(uint64(o.Min)), v.OffGoid.Set(uint32(offGoid)))
	if err != nil {
		return nil, err
	}
	t.fit(spec)
	objs := new(bpf.LockObjects)
	if err := spec.LoadAndAssign(objs, nil); err != nil {
		return nil, fmt.Errorf("load the probe: %w", needs(err))
	}
	return objs, nil
}

// goLocks are the functions in which goroutines wait, by kind. Each is called
// when the lock is not free at once, also from inlined code. A lock of the
// runtime puts threads to sleep in semasleep, and nothing else comes there:
// threads without work park elsewhere.
func goLocks() map[uint64]string {
	return map[uint64]string{
		kindMutex:   "internal/sync.(*Mutex).lockSlow",
		kindRLock:   "sync.runtime_SemacquireRWMutexR",
		kindLock:    "sync.runtime_SemacquireRWMutex",
		kindRuntime: "runtime.semasleep",
	}
}

func (t *Target) watchLocks(objs *bpf.LockObjects, o *LockOptions) (*session, error) {
	cost, err := Calibrate()
	if err != nil {
		return nil, err
	}
	var points []point
	if o.Go {
		if points, err = t.lockPoints(objs, o); err != nil {
			return nil, err
		}
	}
	s := &session{t: t, o: o.Options, counters: objs.Counters, began: time.Now(), meter: newMeter(cost,
		watched{objs.WaitEnd, cost.Return}, watched{objs.WaitBegin, cost.Push}, watched{objs.Unlock, cost.Push},
		watched{prog: objs.KernelBegin}, watched{prog: objs.KernelEnd})}
	s.place = func() (links, error) { return t.placeLocks(objs, points, o.Kernel) }
	s.forget = func() (uint64, error) { return clearStarts(objs.Starts) }
	if s.links, err = s.place(); err != nil {
		s.meter.Close()
		return nil, err
	}
	return s, nil
}

// placeLocks sets the breakpoints and attaches to the kernel's tracepoints.
func (t *Target) placeLocks(objs *bpf.LockObjects, points []point, kernel bool) (links, error) {
	ls, err := t.attach(points...)
	if err != nil || !kernel {
		return ls, err
	}
	inKernel, err := tracepoints(objs.KernelEnd, objs.KernelBegin)
	if err != nil {
		return nil, errors.Join(err, ls.Close())
	}
	return append(ls, inKernel...), nil
}

// clearStarts forgets the waits that have begun, and returns how many.
func clearStarts(m *ebpf.Map) (uint64, error) {
	var keys []bpf.LockStartKey
	var k bpf.LockStartKey
	var v bpf.LockStart
	it := m.Iterate()
	for it.Next(&k, &v) {
		keys = append(keys, k)
	}
	if err := readErr(it); err != nil {
		return 0, err
	}
	for _, k := range keys {
		if err := m.Delete(&k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return 0, fmt.Errorf("forget waits: %w", err)
		}
	}
	return uint64(len(keys)), nil
}

// lockPoints are the returns first, then the entries. A program that is not
// linked with one of the functions cannot wait there; one without any has no
// locks.
func (t *Target) lockPoints(objs *bpf.LockObjects, o *LockOptions) ([]point, error) {
	var ends, begins []point
	for kind, name := range goLocks() {
		if !t.Bin.Has(name) {
			continue
		}
		s, err := t.Bin.Site(name)
		if err != nil {
			return nil, err
		}
		ends = append(ends, point{objs.WaitEnd, s.Returns, kind})
		begins = append(begins, point{objs.WaitBegin, []uint64{s.Entry}, kind})
	}
	if ends == nil {
		return nil, errors.New("the program is linked with no lock of package sync: try --kernel")
	}
	if o.Holders {
		s, err := t.Bin.Site("internal/sync.(*Mutex).unlockSlow")
		if err != nil {
			return nil, err
		}
		begins = append(begins, point{prog: objs.Unlock, addrs: []uint64{s.Entry}})
	}
	return append(ends, begins...), nil
}

// HostPIDs is the namespace in which numbers of processes are the kernel's own
// (PROC_PID_INIT_INO).
const HostPIDs = 0xEFFFFFFC

// rootPIDs refuses to match numbers of processes against those of the kernel
// where they differ.
func rootPIDs() error {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return err
	}
	if st.Ino != HostPIDs {
		return errors.New("kernel locks are told apart by the host's process numbers, and this is a container: run pushctl on the host, or with --go")
	}
	return nil
}

// places names the stacks of one report, each once.
type places struct {
	t    *Target
	objs *bpf.LockObjects
	seen map[int32]Stack
}

func (p *places) stack(id int32) Stack {
	s, ok := p.seen[id]
	if !ok {
		s = p.t.userStack(p.objs.Stacks, id)
		p.seen[id] = s
	}
	return s
}

// plain is a frame without its machinery, for grouping.
func plain(f gobin.Frame) string { return fmt.Sprintf("%s:%d", f.Func, f.Line) }
