// Package probe watches an unmodified Go process with eBPF: its contended locks
// and its garbage collector. Programs in the kernel count, this package reads
// what they counted and gives it names. It needs root, or the capabilities that
// Check names, and changes nothing but breakpoints that the kernel takes away
// when the probe ends, however it ends.
package probe

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"pushfleet/pushctl/probe/gobin"
)

// Target is a running process. Close it.
type Target struct {
	PID  int
	Name string        // of its command
	Bin  *gobin.Binary // nil if only FindAny looked

	base  uint64 // what the kernel added to the addresses of the file
	exe   *link.Executable
	perf  bool // breakpoints are perf events
	pidfd int
}

// Find looks at a Go program. Every error says why it cannot be probed.
func Find(pid int) (*Target, error) {
	t, err := FindAny(pid)
	if err != nil {
		return nil, err
	}
	if err := t.read(); err != nil {
		t.Close()
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return t, nil
}

// FindAny looks at a process of any kind, for probes that set no breakpoints
// and name no functions.
func FindAny(pid int) (*Target, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("probes know linux/amd64 only, this is %s", runtime.GOARCH)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w; list processes with ps", pid, err)
	}
	t := &Target{PID: pid, pidfd: fd, perf: perfOnly(release())}
	if t.Name, err = comm(fmt.Sprintf("/proc/%d", pid)); err != nil {
		t.Close()
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return t, nil
}

// comm is the name of a process or thread by its directory in /proc.
func comm(dir string) (string, error) {
	b, err := os.ReadFile(dir + "/comm")
	return strings.TrimSpace(string(b)), err
}

func (t *Target) read() error {
	path := fmt.Sprintf("/proc/%d/exe", t.PID)
	f, err := os.Open(path)
	if err != nil {
		return needs(err)
	}
	defer f.Close()
	if t.Bin, err = gobin.Open(f); err != nil {
		return fmt.Errorf("%w; probe sched and probe net take any program", err)
	}
	if t.Bin.PIE {
		if t.base, err = t.loadBase(f); err != nil {
			return err
		}
	}
	t.exe, err = link.OpenExecutable(path)
	return err
}

// loadBase finds where the kernel put a position-independent program.
func (t *Target) loadBase(exe *os.File) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(exe.Fd()), &st); err != nil {
		return 0, err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", t.PID))
	if err != nil {
		return 0, needs(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		start, off, inode, ok := mapping(lines.Text())
		if !ok || inode != st.Ino {
			continue
		}
		if addr, ok := t.Bin.Address(off); ok && start >= addr {
			return start - addr, nil
		}
	}
	return 0, errors.New("its code is not mapped: it may be starting or ending, try again")
}

// mapping reads an executable line of /proc/PID/maps.
func mapping(line string) (start, off, inode uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || len(f[1]) < 3 || f[1][2] != 'x' {
		return 0, 0, 0, false
	}
	low, _, _ := strings.Cut(f[0], "-")
	start, err1 := strconv.ParseUint(low, 16, 64)
	off, err2 := strconv.ParseUint(f[2], 16, 64)
	inode, err3 := strconv.ParseUint(f[4], 10, 64)
	return start, off, inode, errors.Join(err1, err2, err3) == nil
}

// Close forgets the process; it must not be probed any more.
func (t *Target) Close() { unix.Close(t.pidfd) }

// exited tells whether the process has ended.
func (t *Target) exited() bool {
	fds := []unix.PollFd{{Fd: int32(t.pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}
