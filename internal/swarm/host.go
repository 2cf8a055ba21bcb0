package swarm

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what a plan must know of the machine.
type host struct {
	fdLimit           int // descriptors of one table
	fdsOpen           int // of them, open now
	portLow, portHigh int
	fileNr, fileMax   int64 // open files of the machine
	freeBytes         int64
}

func readHost() (host, error) {
	var h host
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return h, fmt.Errorf("read RLIMIT_NOFILE: %w", err)
	}
	h.fdLimit = int(min(lim.Cur, 1<<30))
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.fdsOpen = len(fds)
	}
	h.portLow, h.portHigh = 32768, 60999
	if v := numbers("/proc/sys/net/ipv4/ip_local_port_range"); len(v) == 2 {
		h.portLow, h.portHigh = int(v[0]), int(v[1])
	}
	if v := numbers("/proc/sys/fs/file-nr"); len(v) == 3 {
		h.fileNr, h.fileMax = v[0], v[2]
	}
	free, err := available()
	h.freeBytes = free
	return h, err
}

// numbers returns the whole numbers in a file of /proc/sys, none on any error.
func numbers(path string) (v []int64) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for _, f := range strings.Fields(string(b)) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil
		}
		v = append(v, n)
	}
	return v
}

// available returns MemAvailable of the machine, or what is left of a memory
// limit of our control group if that is less.
func available() (int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read free memory: %w", err)
	}
	defer f.Close()
	free := int64(-1)
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := bytes.CutPrefix(s.Bytes(), []byte("MemAvailable:")); ok {
			kb, err := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read free memory: %w", err)
			}
			free = kb << 10
		}
	}
	if free < 0 {
		return 0, fmt.Errorf("read free memory: no MemAvailable in /proc/meminfo")
	}
	if m, c := numbers("/sys/fs/cgroup/memory.max"), numbers("/sys/fs/cgroup/memory.current"); len(m) == 1 && len(c) == 1 {
		free = min(free, m[0]-c[0])
	}
	return free, nil
}

// commas prints a whole number with thousands apart.
func commas[T int | int64 | uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes prints a size with three digits at most, in powers of 1000.
func Bytes(n int64) string {
	v, units := float64(n), []string{"B", "KB", "MB", "GB", "TB"}
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i == 0 || v >= 9.95 {
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
