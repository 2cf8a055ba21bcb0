package bench

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process has used since it started.
type usage struct {
	CPU      time.Duration
	Switches uint64 // voluntary, of the threads that live
}

// processCPU reads another process's CPU clock: exact to nanoseconds, all
// threads, dead ones included. The clock id is made as clock_getcpuclockid(3)
// makes it.
func processCPU(pid int) (time.Duration, error) {
	const cpuClockSched, pidMax = 2, 1 << 22 // the kernel's PID_MAX_LIMIT
	if pid < 1 || pid > pidMax {
		return 0, fmt.Errorf("process %d: %w", pid, unix.ESRCH)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClockSched), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// readUsage reads what /proc says of a process.
func readUsage(pid int) (usage, error) {
	cpu, err := processCPU(pid)
	if err != nil {
		return usage{}, err
	}
	u := usage{CPU: cpu}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, path := range tasks {
		u.Switches += uint64(procField(path, "voluntary_ctxt_switches:"))
	}
	return u, nil
}

// processPSS returns a process's proportional share of memory in bytes, 0 if
// it cannot be read.
func processPSS(pid int) int64 {
	return procField(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:") << 10
}

// procField returns the number behind the name at the begin of a line, 0 if it
// is not there.
func procField(path, name string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			v, _ := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			return v
		}
	}
	return 0
}

// listenerPID returns the process that listens on an IPv4 address and port.
func listenerPID(addr string) int {
	inode := listenerInode(addr)
	if inode == "" {
		return 0
	}
	want := "socket:[" + inode + "]"
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		fds, err := os.ReadDir(p + "/fd")
		if err != nil {
			continue // not ours to look at
		}
		for _, fd := range fds {
			if link, err := os.Readlink(p + "/fd/" + fd.Name()); err == nil && link == want {
				pid, _ := strconv.Atoi(filepath.Base(p))
				return pid
			}
		}
	}
	return 0
}

// listenerInode finds a listening socket in /proc/net/tcp, where addresses
// stand in hex, the IP in host order (little-endian here).
func listenerInode(addr string) string {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return ""
	}
	ip := a.IP.To4()
	local := strings.ToUpper(hex.EncodeToString([]byte{ip[3], ip[2], ip[1], ip[0]})) + fmt.Sprintf(":%04X", a.Port)
	anyIP := fmt.Sprintf("00000000:%04X", a.Port)
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	const stateListen = "0A"
	for s := bufio.NewScanner(f); s.Scan(); {
		v := strings.Fields(s.Text())
		if len(v) > 9 && v[3] == stateListen && (v[1] == local || v[1] == anyIP) {
			return v[9]
		}
	}
	return ""
}

// cpuOf returns the CPU seconds of processes; those that are gone count 0.
func cpuOf(pids []int) (s float64) {
	for _, pid := range pids {
		if d, err := processCPU(pid); err == nil {
			s += d.Seconds()
		}
	}
	return s
}
