package node

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/decay"
	"pushfleet/internal/pushdapi"
)

// usage reads what the process takes of the machine.
type usage struct {
	mu      sync.Mutex
	cpu     decay.Rate // CPU microseconds per second
	lastCPU uint64
	recent  recent
	base    time.Time
	pss     int64
	own     int64 // of pss, without pages of files
	pssAt   time.Time
	heap    uint64 // heap objects at the last sample
	high    bool   // the heap was large
}

// pssEvery bounds how often PSS is read: the kernel walks all page tables for it.
const pssEvery = 5 * time.Second

func (u *usage) nowMS() uint32 { return uint32(time.Since(u.base) / time.Millisecond) }

func cpuTimes() (user, system float64, voluntary uint64) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0, 0, 0
	}
	return float64(r.Utime.Nano()) / 1e9, float64(r.Stime.Nano()) / 1e9, uint64(r.Nvcsw)
}

// sample is called about once a second.
func (u *usage) sample() {
	u.mu.Lock()
	defer u.mu.Unlock()
	user, system, _ := cpuTimes()
	now := uint64((user + system) * 1e6)
	if u.base.IsZero() {
		u.base = time.Now()
	} else {
		u.cpu.Add(u.nowMS(), now-u.lastCPU)
	}
	u.lastCPU = now
	u.recent.note(readRuntime())
}

// bigHeap is garbage worth returning: a burst of handshakes leaves some 3 KB each.
const bigHeap = 8 << 20

// burstOver is true once after the heap's idle memory was large and the burst
// that made it has ended.
func (u *usage) burstOver() bool {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	u.mu.Lock()
	defer u.mu.Unlock()
	allocs := s[0].Value.Uint64()
	quiet := allocs-u.heap < 256<<10 // since the last second
	u.heap = allocs
	if s[1].Value.Uint64()+s[2].Value.Uint64()+s[3].Value.Uint64() > bigHeap {
		if !u.high || !quiet {
			u.high = true
			return false
		}
		u.high = false
		return true
	}
	u.high = false
	return false
}

// read fills the process's part of the stats. Without a look at PSS, for which
// the kernel walks all page tables, that of the last one is told.
func (u *usage) read(conns int64, look bool) (p pushdapi.Process, m pushdapi.Memory) {
	u.mu.Lock()
	if !u.base.IsZero() {
		p.CPUPercent = u.cpu.Read(u.nowMS())[1] / 1e4
	}
	if look && time.Since(u.pssAt) > pssEvery {
		u.lookPSS()
	}
	m.PSSBytes, m.OwnBytes = u.pss, u.own
	u.readProcess(&p, &m)
	u.mu.Unlock()
	p.CPUUserSeconds, p.CPUSystemSeconds, p.VoluntarySwitch = cpuTimes()
	p.Goroutines = runtime.NumGoroutine()
	p.FDMax, _ = fdLimit()
	p.FDs = openFDs()
	p.ListenOverflows = listenOverflows()
	m.RSSBytes = field("/proc/self/status", "VmRSS:") * 1024
	if conns > 0 {
		m.PerConnBytes = m.PSSBytes / conns
	}
	return p, m
}

// lookPSS reads what the kernel adds up over all page tables.
func (u *usage) lookPSS() {
	b, _ := os.ReadFile("/proc/self/smaps_rollup") // without it all are 0
	u.pss = number(b, "Pss:") * 1024
	u.own = (number(b, "Pss_Anon:") + number(b, "Pss_Shmem:")) * 1024
	u.pssAt = time.Now()
}

// readProcess fills what the runtime tells; u.mu is held.
func (u *usage) readProcess(p *pushdapi.Process, m *pushdapi.Memory) {
	now := readRuntime()
	if now.busy > 0 {
		p.GCPercent = 100 * now.gc / now.busy
	}
	u.recent.fill(p, &now)
	var gcs debug.GCStats // which does not stop the world
	debug.ReadGCStats(&gcs)
	p.GCCycles, p.GCPaused = uint64(gcs.NumGC), gcs.PauseTotal.Nanoseconds()
	if gcs.NumGC > 0 {
		p.GCLast = gcs.LastGC.UnixNano()
	}
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	m.HeapBytes = int64(s[0].Value.Uint64())
}

// field reads the number behind a name in a file of /proc; 0 if it is not there.
func field(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	return number(b, name)
}

// number finds the number behind a name at the begin of a line; 0 if there is none.
func number(b []byte, name string) int64 {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				v, _ := strconv.ParseInt(string(f[0]), 10, 64)
				return v
			}
		}
	}
	return 0
}

// openFDs is the size that Linux 6.2 and later report for the directory; older
// kernels say 0. With unshared tables it is the main table's.
func openFDs() int64 {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/fd", &st); err != nil {
		return 0
	}
	return st.Size
}

// listenOverflows is TcpExt ListenOverflows of the network namespace.
func listenOverflows() uint64 {
	b, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return 0
	}
	var names [][]byte
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) == 0 || string(f[0]) != "TcpExt:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, n := range names {
			if string(n) == "ListenOverflows" && i < len(f) {
				v, _ := strconv.ParseUint(string(f[i]), 10, 64)
				return v
			}
		}
	}
	return 0
}
