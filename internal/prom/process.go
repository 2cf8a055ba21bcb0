package prom

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process writes what the kernel tells of this process, under the names that
// every Prometheus client uses, so that dashboards made for those work. What
// cannot be read is 0.
func (p *Page) Process(started time.Time) {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // errs on bad arguments only
	var limit unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	p.Counter("process_cpu_seconds_total", "CPU in program and kernel.", float64(r.Utime.Nano()+r.Stime.Nano())/1e9)
	p.Gauge("process_open_fds", "Open file descriptors.", float64(openFDs()))
	p.Gauge("process_max_fds", "Limit of open file descriptors.", float64(limit.Cur))
	p.Gauge("process_resident_memory_bytes", "Memory of the process, shared pages whole.", float64(resident()))
	p.Gauge("process_start_time_seconds", "Unix time at which the process started.", float64(started.UnixMilli())/1e3)
	p.Gauge("go_goroutines", "Goroutines.", float64(runtime.NumGoroutine()))
	p.Info("go_info", "Always 1; the label says what built the program.", "version", runtime.Version())
}

// openFDs is the size that Linux 6.2 and later report for the directory.
func openFDs() int64 {
	var st unix.Stat_t
	if unix.Stat("/proc/self/fd", &st) != nil {
		return 0
	}
	return st.Size
}

// resident is the second number of statm, in bytes.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(f[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
