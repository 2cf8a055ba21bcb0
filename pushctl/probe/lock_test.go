package probe

import (
	"context"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/pushctl/probe/gobin"
)

func watchLocks(t *testing.T, c *child, o LockOptions, f func()) *LockReport {
	t.Helper()
	if o.By == "" {
		o.By = BySite
	}
	return watch(t, c, &o.Options, f, func(ctx context.Context, target *Target) (*LockReport, error) { return Locks(ctx, target, o) })
}

// of returns the waits of one kind at a place.
func (r *LockReport) of(kind, fn string) *Site {
	for i, s := range r.Sites {
		if s.Kind == kind && s.Stack.Site().Func == fn {
			return &r.Sites[i]
		}
	}
	return &Site{}
}

// TestLocksFindsKnownSites wants the target's three sites on top in every form
// that a program is delivered in, the number of the writer's waits that the
// block profile has, and nothing of a second process of the same program.
func TestLocksFindsKnownSites(t *testing.T) {
	allowed(t)
	f := func(name, cgo string, args ...string) {
		t.Run(name, func(t *testing.T) {
			path := build(t, cgo, args...)
			c, twin := start(t, path, "lock"), start(t, path, "lock")
			var want result
			var quiet *LockReport
			r := watchLocks(t, c, LockOptions{Go: true, Holders: true}, func() {
				quiet = watchLocks(t, twin, LockOptions{Go: true}, func() { want = c.work() })
			})
			inSync := slices.DeleteFunc(slices.Clone(r.Sites), func(s Site) bool { return s.Kind == KindRuntime })
			if len(inSync) < 3 {
				t.Fatalf("sites %+v", r.Sites)
			}
			for _, s := range inSync[:3] {
				switch fn := s.Stack.Site().Func; fn {
				case "main.hotSide", "main.readSide", "main.writeSide":
				default:
					t.Errorf("%s %s is among the first three", s.Kind, fn)
				}
			}
			near(t, "waits of the writer", float64(r.of("lock", "main.writeSide").Count), float64(want.Writers))
			hot := r.of("mutex", "main.hotSide")
			if hot.Count == 0 || hot.Total <= 0 || hot.P99 < hot.P50 || hot.Max < hot.P99 || r.of("rlock", "main.readSide").Count == 0 {
				t.Errorf("%+v", r.Sites)
			}
			if s := hot.Stack.Site(); !strings.HasSuffix(s.File, "main.go") || s.Line != hotLine(t) {
				t.Errorf("the mutex is taken at %+v, want line %d", s, hotLine(t))
			}
			if len(hot.Holders) == 0 || hot.Holders[0].Stack.Site().Func != "main.hotSide" {
				t.Errorf("held by %+v", hot.Holders)
			}
			if r.Lost.Total() != 0 || r.CostCPU <= 0 {
				t.Errorf("run %+v", r.Run)
			}
			if quiet.Hits != 0 || len(quiet.Sites) != 0 {
				t.Errorf("the quiet twin has %d hits", quiet.Hits)
			}
		})
	}
	f("normal", "0")
	f("stripped", "0", "-ldflags=-s -w")
	f("pie", "0", "-buildmode=pie")
	f("external", "1", "-ldflags=-linkmode=external -s -w")
}

// hotLine is the line of the target's source with hot.Lock().
func hotLine(t *testing.T) int {
	t.Helper()
	src, err := os.ReadFile("testdata/target/main.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(src), "hot.Lock()")
	if !ok {
		t.Fatal("the target has no hot lock")
	}
	return strings.Count(before, "\n") + 1
}

func TestLocksSplits(t *testing.T) {
	allowed(t)
	path := build(t, "0")
	f := func(by By, count func(*Site) uint64, least, most int) {
		t.Helper()
		c := start(t, path, "lock")
		r := watchLocks(t, c, LockOptions{Go: true, By: by}, func() { c.work() })
		parts := map[uint64]bool{}
		for _, s := range r.Sites {
			if s.Kind == "mutex" && s.Stack.Site().Func == "main.hotSide" {
				parts[count(&s)] = true
			}
		}
		if len(parts) < least || len(parts) > most || parts[0] {
			t.Errorf("by %s: %v", by, parts)
		}
	}
	f(ByLock, func(s *Site) uint64 { return s.Lock }, 1, 1)
	f(ByGoroutine, func(s *Site) uint64 { return s.Goroutine }, 2, 4)
}

func TestLocksMin(t *testing.T) {
	allowed(t)
	c := start(t, build(t, "0"), "lock")
	r := watchLocks(t, c, LockOptions{Go: true, Min: time.Hour}, func() { c.work() })
	if r.Hits == 0 || len(r.Sites) != 0 {
		t.Errorf("%d hits, %+v", r.Hits, r.Sites)
	}
}

func TestLocksStillWaiting(t *testing.T) {
	allowed(t)
	c := start(t, build(t, "0"), "sleep")
	r := watchLocks(t, c, LockOptions{Go: true}, func() { c.work() })
	if len(r.Waiting) != 1 {
		t.Fatalf("%+v", r.Waiting)
	}
	if w := r.Waiting[0]; w.Kind != "mutex" || len(w.Goroutines) != 3 || w.Goroutines[0] == 0 || w.Oldest <= 0 || w.Lock == 0 || w.Stack.Site().Func != "main.stuck" {
		t.Errorf("%+v", w)
	}
}

func TestKernelLocks(t *testing.T) {
	allowed(t)
	hostPIDs(t)
	if runtime.NumCPU() < 2 {
		t.Skip("threads contend in the kernel only where there are two processors")
	}
	c := start(t, build(t, "0"), "kernel")
	r := watchLocks(t, c, LockOptions{Kernel: true}, func() { c.work() })
	var all []string
	for _, s := range r.Sites {
		if !s.InKernel || len(s.Frames) == 0 {
			t.Errorf("%+v", s)
			continue
		}
		all = append(all, s.Kind+" "+strings.Join(s.Frames, "<")+" "+s.Stack.Site().Func)
	}
	if r.Kernel.Count == 0 || r.Go.Count != 0 || !strings.Contains(strings.Join(all, "\n"), "map") {
		t.Errorf("%d waits: %s", r.Kernel.Count, strings.Join(all, "\n"))
	}
}

// TestRuntimeLocks wants the line that uses a channel which many threads fight
// for, and idle threads left out.
func TestRuntimeLocks(t *testing.T) {
	allowed(t)
	if runtime.NumCPU() < 2 {
		t.Skip("threads sleep for locks of the runtime only where there are two processors")
	}
	c := start(t, build(t, "0"), "chan")
	r := watchLocks(t, c, LockOptions{Go: true}, func() { c.work() })
	var sum uint64
	for _, s := range r.Sites {
		if s.Kind == KindRuntime {
			sum += s.Count
		}
	}
	at := r.of(KindRuntime, "main.say")
	if at.Count == 0 || at.Total <= 0 || r.Runtime.Count != sum || len(at.Stack.RuntimeSite()) != 2 || at.Stack.RuntimeSite()[0] != "runtime.selectgo" {
		t.Errorf("%+v of %d", at, r.Runtime.Count)
	}
	if r.Runtime.Count > 2*at.Count+100 {
		t.Errorf("%d waits, and %d of them at the channel: %+v", r.Runtime.Count, at.Count, r.Sites)
	}
}

func TestRuntimeSite(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		var s Stack
		for _, fn := range strings.Fields(in) {
			s = append(s, gobin.Frame{Func: fn})
		}
		if got := strings.Join(s.RuntimeSite(), " ← "); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	f("runtime.semasleep runtime.lock2 runtime.chansend main.f main.main", "runtime.chansend ← main.f")
	f("runtime.semasleep runtime.lock2 runtime.findRunnable runtime.schedule runtime.mcall", "runtime.findRunnable")
	f("runtime.semasleep runtime.lock2 runtime.systemstack runtime.(*mheap).alloc runtime.mallocgc a.g", "runtime.(*mheap).alloc ← a.g")
	f("runtime.semasleep runtime.lock2", "runtime.semasleep")
	f("", "unknown")
}

// TestPauses lets a probe that is dear pause, and wants it to count in several
// parts, each with waits of its own.
func TestPauses(t *testing.T) {
	allowed(t)
	c := start(t, build(t, "0"), "lock")
	var worked time.Duration // at most, once
	pausing := func() *LockReport {
		over := make(chan struct{})
		dear := func(watched time.Duration) time.Duration { return watched / 2 }
		o := Options{MaxCPU: 0.2, Duration: 4 * time.Second, Ending: func() { close(over) }, spent: dear}
		return watchLocks(t, c, LockOptions{Go: true, Options: o}, func() {
			for {
				select {
				case <-over:
					return
				default:
					began := time.Now()
					c.work()
					worked = max(worked, time.Since(began))
				}
			}
		})
	}
	r := pausing()
	for tries := 0; r.End == EndBudget && tries < 3; tries++ { // the machine stood still in the first part
		r = pausing()
	}
	if r.Parts < 2 || r.Watched >= r.Seconds || r.Watched < budgetMin.Seconds() || r.Go.Count == 0 || math.Abs(r.Watching()-0.5) > 0.01 {
		t.Errorf("%+v with %d waits", r.Run, r.Go.Count)
	}
	if r.Go.Max > worked.Seconds() {
		t.Errorf("a wait of %v s over a pause, the target works for %s at most", r.Go.Max, worked)
	}
	c.work()
}

func TestPauseTimes(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	var p pauses
	f := func(now, want int) {
		t.Helper()
		if got := p.watched(at(now)); got != time.Duration(want)*time.Second {
			t.Errorf("after %d s: %s, want %d", now, got, want)
		}
	}
	p.start(noon)
	f(2, 2)
	p.stop(at(3))
	f(7, 3)
	p.start(at(8))
	f(9, 4)
	p.stop(at(10))
	p.stop(at(11)) // at the end, also of a pause
	f(20, 5)
	if p.parts != 2 {
		t.Errorf("%d parts", p.parts)
	}
}

// TestMaxCPUDetaches gives the probe a budget that nothing fits.
func TestMaxCPUDetaches(t *testing.T) {
	allowed(t)
	c := start(t, build(t, "0"), "lock")
	r := watchLocks(t, c, LockOptions{Go: true, Options: Options{MaxCPU: 1e-9}}, func() { c.work() })
	if r.End != EndBudget || r.Seconds > 30 {
		t.Errorf("ended by %s after %v s", r.End, r.Seconds)
	}
	c.work()
}

// TestTargetEnds lets the process end while it is probed.
func TestTargetEnds(t *testing.T) {
	allowed(t)
	c := start(t, build(t, "0"), "lock")
	r := watchLocks(t, c, LockOptions{Go: true, Options: Options{MaxCPU: 1}}, func() { c.work(); c.stop() })
	if r.End != EndExited || len(r.Sites) == 0 {
		t.Errorf("ended by %s with %d sites", r.End, len(r.Sites))
	}
}

// TestProbeKilled kills a probe and wants its target to live and its code to
// be what it was.
func TestProbeKilled(t *testing.T) {
	allowed(t)
	c := start(t, build(t, "0"), "lock")
	target := c.find()
	site, err := target.Bin.Site("internal/sync.(*Mutex).lockSlow")
	if err != nil {
		t.Fatal(err)
	}
	prober := exec.Command(os.Args[0], "-test.run=^TestHelperProbe$", "-test.v")
	prober.Env = append(os.Environ(), "PROBE_PID="+pid(c))
	out, err := prober.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := prober.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prober.Process.Kill() }) // it was, or the test has ended
	await(t, out, "in place")
	if b := byteAt(t, target, site); b != byteBreak {
		t.Errorf("the code holds %#x while it is probed", b)
	}
	c.work()
	if err := prober.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	prober.Wait()
	for end := time.Now().Add(20 * time.Second); byteAt(t, target, site) != bytePush; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the code holds %#x after the probe was killed", byteAt(t, target, site))
		}
	}
	c.work()
}

func TestGroup(t *testing.T) {
	at := func(fn string, line int) Stack {
		return Stack{{Func: "internal/sync.(*Mutex).lockSlow", Line: 1}, {Func: "sync.(*Mutex).Lock", Line: 2}, {Func: fn, Line: line}}
	}
	waits := func(ns ...uint64) Waits {
		var w Waits
		for _, v := range ns {
			w.Record(v)
		}
		return w
	}
	all := []counted{
		{kind: kindMutex, part: 1, stack: at("a.f", 10), waits: waits(1000, 2000)},
		{kind: kindMutex, part: 2, stack: at("a.f", 10), waits: waits(3000)},
		{kind: kindRLock, part: 3, stack: at("a.g", 20), waits: waits(10_000)},
		{kind: kindHolder, part: 1, stack: at("a.h", 30), waits: waits(0)},
		{kind: kindHolder, part: 2, stack: at("a.i", 40), waits: waits(0, 0)},
		{kind: kindHolder, part: 9, stack: at("a.j", 50), waits: waits(0)},
	}
	sites := group(all, &LockOptions{By: BySite, Holders: true})
	if len(sites) != 2 || sites[0].Kind != "rlock" || sites[1].Count != 3 || sites[1].Total != 6e-6 {
		t.Fatalf("%+v", sites)
	}
	if h := sites[1].Holders; len(h) != 2 || h[0].Count != 2 || h[0].Stack.Site() != (gobin.Frame{Func: "a.i", Line: 40}) || h[1].Count != 1 {
		t.Errorf("holders %+v", h)
	}
	if sites[0].Holders != nil {
		t.Errorf("holders of another lock %+v", sites[0].Holders)
	}
	if n := len(group(all, &LockOptions{By: ByLock})); n != 3 {
		t.Errorf("%d by lock", n)
	}
}

func TestKernelSite(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := strings.Join(kernelSite(strings.Fields(in)), " "); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	f("__pv_queued_spin_lock_slowpath _raw_spin_lock try_to_wake_up wake_up_q futex_wake do_futex", "try_to_wake_up wake_up_q futex_wake")
	f("rwsem_down_write_slowpath down_write_killable vm_mmap_pgoff", "vm_mmap_pgoff")
	f("_raw_spin_lock", "_raw_spin_lock")
	f("", "")
}

func TestKernelNames(t *testing.T) {
	ks, err := readSymbols(strings.NewReader("ffffffff81000100 T second\nffffffff81000000 t first\nffffffff81000180 D data\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(addr uint64, want string) {
		t.Helper()
		if got := ks.name(addr); got != want {
			t.Errorf("%#x is %s, want %s", addr, got, want)
		}
	}
	f(0xffffffff81000000, "first")
	f(0xffffffff810000ff, "first")
	f(0xffffffff810001ff, "second")
	f(0x10, "0x10")
	if _, err := readSymbols(strings.NewReader("0000000000000000 T hidden\n")); err == nil || !strings.Contains(err.Error(), "CAP_SYSLOG") {
		t.Errorf("hidden names: %v", err)
	}
}
