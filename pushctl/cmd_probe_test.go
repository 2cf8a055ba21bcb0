package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/probe/gobin"
	"pushfleet/pushctl/table"
)

func someRun() probe.Run {
	return probe.Run{PID: 4711, Name: "pushd", Version: "go1.26.8", Seconds: 10, Watched: 10, Parts: 1, MaxCPU: 0.02, End: probe.EndTime, CostCPU: 0.003}
}

func someLocks() *probe.LockReport {
	at := func(fn, file string, line int) probe.Stack {
		return probe.Stack{{Func: "internal/sync.(*Mutex).lockSlow"}, {Func: fn, File: file, Line: line}}
	}
	return &probe.LockReport{Run: someRun(), By: probe.BySite, Go: probe.Times{Count: 4113}, Runtime: probe.Times{Count: 8}, Kernel: probe.Times{Count: 41},
		Sites: []probe.Site{
			{Kind: "mutex", Times: probe.Times{Count: 3901, Total: 0.412, P50: 31e-6, P99: 1.9e-3, Max: 0.02}, Stack: at("pushfleet/pushd/router.(*shard).bind", "/src/pushd/router/shard.go", 88),
				Holders: []probe.Holder{{Count: 3900, Stack: at("pushfleet/pushd/router.(*shard).walk", "/src/pushd/router/shard.go", 131)}}},
			{Kind: "rlock", Times: probe.Times{Count: 212, Total: 0.018, P50: 120e-9, P99: 0.4e-3, Max: 0.5e-3}, Stack: at("main.take", "limits.go", 54)},
			{Kind: probe.KindRuntime, Times: probe.Times{Count: 8, Total: 0.024, P50: 2e-3, P99: 13e-3, Max: 13e-3}, Stack: probe.Stack{{Func: "runtime.semasleep"},
				{Func: "runtime.lock2"}, {Func: "runtime.sellock"}, {Func: "runtime.selectgo"}, {Func: "pushfleet/pushd/reactor.(*Loop).flush", File: "/src/loop.go", Line: 7}}},
			{Kind: "spin", InKernel: true, Times: probe.Times{Count: 41, Total: 1.1e-3, P50: 9e-6, P99: 0.1e-3, Max: 0.1e-3},
				Frames: []string{"_raw_spin_lock", "try_to_wake_up", "ep_poll_callback"}, Stack: at("pushfleet/pushd/reactor.(*Loop).flush", "loop.go", 7)},
		},
		Waiting: []probe.Still{{Kind: "mutex", Goroutines: []uint64{7, 9}, Oldest: 1.2, Stack: at("pushfleet/pushd/router.(*shard).bind", "shard.go", 88)}},
		Hist:    []probe.Bar{{Low: 256e-9, High: 512e-9, Count: 100}, {Low: 512e-9, High: 1024e-9}, {Low: 1024e-9, High: 2048e-9, Count: 1}},
	}
}

func TestLockScreen(t *testing.T) {
	f := func(change func(*probe.LockReport), top int, hist bool, want string) {
		t.Helper()
		r := someLocks()
		change(r)
		got := strings.Join(lockLines(r, top, hist), "\n")
		if got != strings.TrimPrefix(want, "\n") {
			t.Errorf("screen\n%s\nwant%s", got, want)
		}
		for l := range strings.SplitSeq(got, "\n") {
			if table.Width(l) > table.Columns {
				t.Errorf("too wide: %s", l)
			}
		}
	}
	f(func(*probe.LockReport) {}, 1, true, `
pushd[4711] go1.26.8, 10.0 s, 4,162 contended waits, cost 0.3 % cpu, lost 0

GO LOCKS             waits     total       p50       p99       max
mutex   router.(*shard).bind                                  router/shard.go:88
                     3,901    412 ms     31 µs    1.9 ms     20 ms
        held by 3,900× router.(*shard).walk                  router/shard.go:131
and 1 more site: --top 2 shows them

RUNTIME LOCKS        waits     total       p50       p99       max
runtime selectgo ← reactor.(*Loop).flush                           src/loop.go:7
                         8     24 ms    2.0 ms     13 ms     13 ms

KERNEL LOCKS         waits     total       p50       p99       max
spin    try_to_wake_up ← ep_poll_callback ← reactor.(*Loop).flush
                        41    1.1 ms      9 µs    100 µs    100 µs
2 goroutines still waiting at the end, oldest 1.2 s: router.(*shard).bind

   256 ns to    512 ns        100  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
   512 ns to      1 µs          0
     1 µs to      2 µs          1  ▏`)
	f(func(r *probe.LockReport) {
		r.Sites, r.Waiting, r.Go.Count, r.Runtime.Count, r.Kernel.Count, r.End, r.CostCPU, r.Lost.Stacks = nil, nil, 0, 0, 0, probe.EndBudget, 0.031, 3
	}, 1, false, `
pushd[4711] go1.26.8, 10.0 s, 0 contended waits, cost 3.1 % cpu, lost 3 stacks
detached after 10.0 s: it took 3.1 % of a processor, and --max-cpu allows 2 %
to watch for longer, add --max-cpu 5% (--min does not make it cheaper)
nobody waited for a lock`)
}

func TestEndLines(t *testing.T) {
	f := func(change func(*probe.Run), want string) {
		t.Helper()
		r := someRun()
		change(&r)
		if got := strings.Join(endLines(&r), "\n"); got != strings.TrimPrefix(want, "\n") {
			t.Errorf("%s\nwant%s", got, want)
		}
	}
	f(func(*probe.Run) {}, "")
	f(func(r *probe.Run) { r.End = probe.EndExited }, "the process ended after 10.0 s")
	f(func(r *probe.Run) { r.Watched, r.Parts, r.CostCPU, r.Lost.Cut = 2.1, 5, 0.02, 12 }, `
watched 21 % of the time, in 5 parts, to stay within --max-cpu 2 %
for all of the time, multiply counts and totals by 4.8, or add --max-cpu 15%
12 waits cut off by the pauses and not counted`)
	f(func(r *probe.Run) { r.End, r.Seconds, r.Watched, r.CostCPU = probe.EndBudget, 0.5, 0.5, 0.9 }, `
detached after 0.5 s: it took 90 % of a processor, and --max-cpu allows 2 %
to watch for longer, add --max-cpu 100% (--min does not make it cheaper)`)
}

func TestGCScreen(t *testing.T) {
	c := &probe.Cycle{N: 12, Trigger: "heap", Before: 61e6, After: 18e6, Goal: 72e6, StopSweep: 18e-6, StopMark: 41e-6, Mark: 3.1e-3}
	wait := 0.9e-3
	beside := *c
	beside.Assist, beside.Beside = 0.2e-3, &probe.Beside{Wait: &wait}
	forced := *c
	forced.Trigger, forced.StopMark, forced.Beside = "forced", 0.19e-3, nil
	f := func(got, want string) {
		t.Helper()
		if got != strings.TrimPrefix(want, "\n") {
			t.Errorf("%s\nwant%s", got, want)
		}
		for l := range strings.SplitSeq(got, "\n") {
			if table.Width(l) > table.Columns {
				t.Errorf("too wide: %s", l)
			}
		}
	}
	f(cycleHead(true)+"\n"+cycleLine(&beside, true)+"\n"+cycleLine(&forced, true), `
cycle begun      heap          goal   stop   stop   mark assist   wait  sched
      by      before→live            sweep   mark                  p99    p99
   12 heap     61 MB→18 MB    72 MB  18 µs  41 µs 3.1 ms 200 µs 0.9 ms      –
   12 forced   61 MB→18 MB    72 MB  18 µs 190 µs 3.1 ms      –      –      –`)
	f(cycleHead(false)+"\n"+cycleLine(c, false), `
cycle begun      heap          goal   stop   stop   mark assist
      by      before→live            sweep   mark
   12 heap     61 MB→18 MB    72 MB  18 µs  41 µs 3.1 ms      –`)
	r := &probe.GCReport{Run: someRun(), Count: 31, Pauses: probe.Times{Count: 62, P50: 31e-6, P99: 190e-6, Max: 0.2e-3, Total: 2.9e-3}, Other: probe.Times{Count: 1, Total: 20e-6}}
	r.End = probe.EndExited
	r.Runtime = &probe.Agreement{Agrees: true, Cycles: 31, RuntimeCycles: 31, Paused: 2.9e-3, RuntimePaused: 2.9e-3}
	r.Assists = []probe.Assist{{Times: probe.Times{Count: 5, Total: 1e-3, P50: 2e-6, P99: 3e-6, Max: 4e-6}, Stack: probe.Stack{{Func: "runtime.mallocgc"}, {Func: "main.work", File: "a/b/main.go", Line: 3}}}}
	const wantEnd = `the process ended after 10.0 s
pauses 62  p50 31 µs  p99 190 µs  max 200 µs  total 2.9 ms (<0.1 %)
agrees with the runtime: yes, 31 cycles with 2.9 ms of pauses
stopped once more for other reasons, total 20 µs

ASSISTS              waits     total       p50       p99       max
main.work                                                            b/main.go:3
                         5    1.0 ms      2 µs      3 µs      4 µs
pushd[4711] go1.26.8, 10.0 s, 31 cycles, cost 0.3 % cpu, lost 0`
	if got := strings.Join(gcLines(r, false), "\n"); got != wantEnd {
		t.Errorf("%s\nwant\n%s", got, wantEnd)
	}
}

func TestCheckScreen(t *testing.T) {
	r := probe.Check(probe.Facts{Kernel: "6.1.0", Arch: "amd64", Lockdown: "none", BTF: true, HostPIDs: true, Missing: []string{"CAP_BPF"}})
	var out bytes.Buffer
	err := (&options{env: &env{out: &out}, format: "table"}).probeCheck(r)
	if err == nil || !strings.Contains(err.Error(), "1 thing missing here") {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"\nmissing rights", "without CAP_BPF", "to have every probe: sudo pushctl probe"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	for l := range strings.SplitSeq(out.String(), "\n") {
		if table.Width(l) > table.Columns {
			t.Errorf("too wide: %s", l)
		}
	}
}

func TestCPUScreen(t *testing.T) {
	r := &probe.CPUReport{Run: someRun(), Samples: 200, CPU: 2.02, Functions: []probe.Function{{Func: "pushfleet/pushd/wire.Encode", Own: 150, All: 180}, {Func: "tcp_sendmsg", Own: 50, All: 50}}}
	const want = `pushd[4711] go1.26.8, 10.0 s, 2 s of computing in 200 samples, cost 0.3 % cpu, lost 0

 OWN   ALL  FUNCTION
75 %  90 %  wire.Encode`
	if got := strings.Join(cpuLines(r, 1, table.Style{}), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	r.Samples = 0
	if got := cpuLines(r, 1, table.Style{}); got[len(got)-1] != "it did not compute when looked at" {
		t.Errorf("%q", got)
	}
}

func TestSchedScreen(t *testing.T) {
	w := probe.Times{Count: 1200, Total: 0.04, P50: 9e-6, P99: 1.2e-3, Max: 3e-3}
	r := &probe.SchedReport{Run: someRun(), All: w, Threads: []probe.Thread{{TID: 4712, Name: "pushd", Times: w}}, Hist: []probe.Bar{{Low: 0, High: 256e-9, Count: 1}}}
	r.Version = ""
	const want = `pushd[4711], 10.0 s, 1,200 waits, cost 0.3 % cpu, lost 0

THREAD  NAME   WAITS  TOTAL   P50     P99     MAX
   all         1,200  40 ms  9 µs  1.2 ms  3.0 ms
  4712  pushd  1,200  40 ms  9 µs  1.2 ms  3.0 ms

     0 ns to    256 ns          1  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇`
	if got := strings.Join(schedLines(r, 5, true, table.Style{}), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestProbeUsage wants exit status 2 and a sentence for wrong flags.
func TestProbeUsage(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		var errs bytes.Buffer
		e := testEnv()
		e.err = &errs
		if code := run(strings.Fields(line), e); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s, want %q", line, code, errs.String(), want)
		}
	}
	f("probe lock", "which process")
	f("probe gc --pid 0", "which process")
	f("probe gc --pid 1 --duration 2h", "at most 1h")
	f("probe gc --pid 1 --flame x.svg", "need --assist")
	f("probe gc --pid 1 --max-cpu 200%", "want 0% to 100%")
	f("probe lock --pid 1 --by stak", "did you mean stack?")
	f("probe lock --pid 1 --sort size", "want one of total, count, max, p99")
	f("probe lock --pid 1 --top 0", "want 1 or more")
	f("probe lock --pid 1 --interval 1ms", "at least 100ms")
	f("probe lock --pid 1 --kernel --holders", "leave --kernel out")
	f("probe lock --pid 1 --min -1s", "above zero")
	f("probe check extra", "too much")
	f("probe gc --pid 1 --node gw-1:7401", "leave one out")
	f("probe gc --node gw-1:7401 --node gw-2:7401", "one --node at a time")
	f("probe cpu", "which process")
	f("probe cpu --pid 1 --hertz 5000", "want 1 to 1000")
	f("probe cpu --pid 1 --top 0", "want 1 or more")
	f("probe sched --pid 1 --top 0", "want 1 or more")
	f("probe loc", "did you mean lock?")
}

func TestProbeRefusesNoProcess(t *testing.T) {
	var errs bytes.Buffer
	e := testEnv()
	e.err = &errs
	if code := run([]string{"probe", "gc", "--pid", strconv.Itoa(1<<22 + 1)}, e); code != exitFailed || !strings.Contains(errs.String(), "no such process") {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

func TestParseShare(t *testing.T) {
	f := func(text string, want float64) {
		t.Helper()
		got, err := parseShare(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	f("2%", 0.02)
	f("0.5 %", 0.005)
	f("0.02", 0.02)
	f("0", 0)
	f("100%", 1)
	f("101%", -1)
	f("-1%", -1)
	f("NaN", -1)
	f("", -1)
}

func TestShortNames(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(shortFunc("pushfleet/pushd/router.(*shard).bind"), "router.(*shard).bind")
	f(shortFunc("a/b.Map[go.shape.struct { x/y.Z }].Get"), "b.Map[…].Get")
	f(shortFunc("main.main"), "main.main")
	f(shortFile("/usr/src/pushd/router/shard.go"), "router/shard.go")
	f(shortFile("main.go"), "main.go")
	f(placeLine("mutex   ", gobin.Frame{Func: "unknown"}), "mutex   unknown")
}

// TestProbeFiles writes both files of a report.
func TestProbeFiles(t *testing.T) {
	dir := t.TempDir()
	e := testEnv()
	p := &probing{options: &options{env: e}, pprof: filepath.Join(dir, "a.pb.gz"), flame: filepath.Join(dir, "a.svg")}
	r := someRun()
	ws := []probe.Weighted{{Stack: probe.Stack{{Func: "main.f"}}, Kind: "mutex", Count: 1, Total: 5}}
	if err := p.files(ws, "contentions", "title", &r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{p.pprof: "\x1f\x8b", p.flame: "main.f"} {
		if b, err := os.ReadFile(name); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.flame = filepath.Join(dir, "nowhere", "a.svg")
	if err := p.files(ws, "contentions", "title", &r); err == nil {
		t.Error("a directory that is not there was written to")
	}
	fresh := filepath.Join(dir, "b.svg")
	for name, ok := range map[string]bool{"": true, fresh: true, p.pprof: true, "/dev/null": true, p.flame: false, dir: false} {
		if err := writable(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("looking has left a file")
	}
	if b, _ := os.ReadFile(p.pprof); len(b) == 0 {
		t.Error("looking has emptied a file")
	}
}
