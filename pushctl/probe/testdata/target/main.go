// Command target behaves in a known way for the tests of probes. It says
// "ready", works when it reads a line, prints what its own runtime knows as
// JSON, and ends when its input does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type result struct {
	Cycles     uint64
	PauseTotal uint64  // ns, by the runtime's own sum
	PauseLow   float64 // s, by the buckets of runtime/metrics
	PauseHigh  float64
	Live       uint64
	Goal       uint64    // of the last cycle
	Before     [3]uint64 // cycles, ns of pauses, end of the last cycle
	After      [3]uint64
	Assist     float64 // s
	Writers    int64   // events of the block profile in writeSide
}

func main() {
	debug.SetGCPercent(-1)
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	work := map[string]func(*result){"gc": collect, "lock": contend, "idle": func(*result) {}, "kernel": mapping, "sleep": holdAll, "burn": burnBoth, "chan": talk}[os.Args[1]]
	for in.Scan() {
		var r result
		work(&r)
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			panic(err)
		}
	}
}

var sink [64][]byte

// collect allocates through several cycles that the pacer starts, and ends with
// two forced ones.
func collect(r *result) {
	n, low, high := pauses()
	assist := read("/cpu/classes/gc/mark/assist:cpu-seconds").Float64()
	r.Before = said()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	debug.SetGCPercent(100)
	for i := range 4000 {
		sink[i%len(sink)] = make([]byte, 16<<10)
	}
	runtime.GC()
	r.Goal = read("/gc/heap/goal:bytes").Uint64()
	runtime.GC()
	r.Live = read("/gc/heap/live:bytes").Uint64()
	debug.SetGCPercent(-1)
	runtime.ReadMemStats(&after)
	r.After = said()
	r.Assist = read("/cpu/classes/gc/mark/assist:cpu-seconds").Float64() - assist
	n2, low2, high2 := pauses()
	r.Cycles, r.PauseTotal = n2-n, after.PauseTotalNs-before.PauseTotalNs
	r.PauseLow, r.PauseHigh = low2-low, high2-high
}

// said is what the runtime says of its collector.
func said() [3]uint64 {
	var s debug.GCStats
	debug.ReadGCStats(&s)
	if s.NumGC == 0 {
		return [3]uint64{}
	}
	return [3]uint64{uint64(s.NumGC), uint64(s.PauseTotal), uint64(s.LastGC.UnixNano())}
}

func read(name string) metrics.Value {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value
}

func pauses() (cycles uint64, low, high float64) {
	h := read("/sched/pauses/total/gc:seconds").Float64Histogram()
	for i, n := range h.Counts {
		if n > 0 {
			low += float64(n) * max(0, h.Buckets[i])
			high += float64(n) * h.Buckets[i+1]
		}
	}
	return read("/gc/cycles/total:gc-cycles").Uint64(), low, high
}

var (
	hot  sync.Mutex
	tree sync.RWMutex
	held sync.Mutex
)

//go:noinline
func hotSide() {
	hot.Lock()
	keep()
	hot.Unlock()
}

//go:noinline
func writeSide() {
	tree.Lock()
	keep()
	tree.Unlock()
}

// keep holds a lock long enough for others to queue.
func keep() {
	for end := time.Now().Add(20 * time.Microsecond); time.Now().Before(end); {
	}
	runtime.Gosched()
}

//go:noinline
func readSide() {
	tree.RLock()
	keep()
	tree.RUnlock()
}

// contend has four goroutines at one mutex, and then one writer, who waits for
// nobody but three readers. These read for as long as there is a writer, who may
// be late.
func contend(r *result) {
	times(4, 300, hotSide)()
	runtime.SetBlockProfileRate(1)
	var written atomic.Bool
	readers := times(3, 1, func() {
		for !written.Load() {
			readSide()
		}
	})
	times(1, 500, writeSide)()
	written.Store(true)
	readers()
	runtime.SetBlockProfileRate(0)
	r.Writers = blocked("main.writeSide")
}

// times has n goroutines that call f k times, none of them before all are there;
// the function returned waits for them.
func times(n, k int, f func()) func() {
	var there, over sync.WaitGroup
	there.Add(n)
	all := make(chan struct{})
	for range n {
		over.Go(func() {
			there.Done()
			<-all
			for range k {
				f()
			}
		})
	}
	there.Wait()
	close(all)
	return over.Wait
}

// blocked sums the block profile's events under a function.
func blocked(fn string) int64 {
	recs := make([]runtime.BlockProfileRecord, 1000)
	n, ok := runtime.BlockProfile(recs)
	if !ok {
		return -1
	}
	var sum int64
	for _, r := range recs[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			if strings.HasSuffix(f.Function, fn) {
				sum += r.Count
			}
			if !more {
				break
			}
		}
	}
	return sum
}

// holdAll leaves three goroutines waiting for a lock for ever.
func holdAll(*result) {
	held.Lock()
	for range 3 {
		go stuck()
	}
	// They are seen waiting by the goroutine profile's own state.
	buf := make([]byte, 1<<16)
	for strings.Count(string(buf[:runtime.Stack(buf, true)]), "sync.Mutex.Lock") < 3 {
		runtime.Gosched()
	}
}

//go:noinline
func stuck() {
	held.Lock()
	held.Unlock()
}

// mapping makes threads wait for the lock of their address space. It ends when
// some have slept, by the kernel's own count: there may be no two at a time on a
// machine with other work.
func mapping(*result) {
	before := slept()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		times(4, 5000, func() {
			b, err := syscall.Mmap(-1, 0, 1<<16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				panic(err)
			}
			b[0] = 1
			if err := syscall.Munmap(b); err != nil {
				panic(err)
			}
		})()
		if slept()-before > 100 {
			return
		}
	}
}

// slept is how often threads of the process have given up their processor.
func slept() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Nvcsw
}

// talk has many threads at one channel, whose lock is one of the runtime's. It
// ends when threads have waited for such locks, by the runtime's own count.
func talk(*result) {
	runtime.GOMAXPROCS(16)
	before := read("/sync/mutex/wait/total:seconds").Float64()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		times(64, 300, say)()
		if read("/sync/mutex/wait/total:seconds").Float64()-before > 0.02 {
			return
		}
	}
}

var words = make(chan int, 1)

//go:noinline
func say() {
	select {
	case words <- 1:
	case <-words:
	}
}

// burnBoth has two threads compute for burnTime each on one processor, so that
// together they wait for it at least as long as one of them computes.
func burnBoth(*result) {
	var have, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &have); err != nil {
		panic(err)
	}
	cpu := 0
	for !have.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	times(2, 1, func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its affinity
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			panic(err)
		}
		for end := cpuTime() + burnTime; cpuTime() < end; {
			burn(1 << 20)
		}
	})()
}

const burnTime = 150 * time.Millisecond

// cpuTime is what the calling thread has computed so far.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

//go:noinline
func burn(n int) (v int) {
	for i := range n {
		v += i * v
	}
	return v
}
