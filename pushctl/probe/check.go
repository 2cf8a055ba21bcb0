package probe

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
	"pushfleet/pushctl/probe/gobin"
)

// Need is something that probes want of a host.
type Need struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Have string `json:"have"`
	For  string `json:"for"`          // what does not work without
	Do   string `json:"do,omitempty"` // to get it, if it is missing
}

// CheckReport is what a host allows.
type CheckReport struct {
	Kernel string `json:"kernel"`
	Needs  []Need `json:"needs"`
	Cost   *Cost  `json:"cost,omitempty"` // of a breakpoint; absent where none can be set
}

// Facts is what was seen of a host.
type Facts struct {
	Kernel, Arch, Lockdown string
	Missing                []string // capabilities
	BTF, HostPIDs          bool
	// Errors of trying; nil is success.
	Breakpoints, Ring, Locks, Names, Net error
	Cost                                 Cost
}

// Look tries what this host allows, on this very process. It takes some 50 ms.
func Look() Facts {
	f := Facts{Arch: runtime.GOARCH, HostPIDs: rootPIDs() == nil, Missing: missingCaps()}
	f.Kernel = release()
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	f.BTF = err == nil
	f.Lockdown = "unknown" // where securityfs is not mounted
	if b, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil {
		f.Lockdown = chosen(string(b))
	}
	f.Cost, f.Breakpoints = Calibrate()
	f.Ring = tryRing()
	f.Locks = tryLocks()
	f.Net = tryNet()
	_, f.Names = kernelNames(true)
	return f
}

// chosen reads the value in brackets of "none [integrity] confidentiality".
func chosen(s string) string {
	_, s, _ = strings.Cut(s, "[")
	s, _, _ = strings.Cut(s, "]")
	return s
}

func tryRing() error {
	objs, err := new(Target).loadGC()
	if err != nil {
		return err
	}
	return objs.Close()
}

func tryLocks() error {
	t := &Target{PID: os.Getpid()}
	objs, err := t.loadLock(&LockOptions{})
	if err != nil {
		return err
	}
	defer objs.Close()
	ls, err := tracepoints(objs.KernelEnd, objs.KernelBegin)
	if err != nil {
		return err
	}
	return ls.Close()
}

// tryNet looks at the sockets of this very process once.
func tryNet() error {
	t, err := FindAny(os.Getpid())
	if err != nil {
		return err
	}
	defer t.Close()
	objs, err := loadNet(nil)
	if err != nil {
		return err
	}
	defer objs.Close()
	w, err := watchNet(t, objs, &NetOptions{})
	if err != nil {
		return err
	}
	defer w.files.Close()
	ls, err := tracepoints(objs.Retransmitted, objs.Reset)
	if err != nil {
		return err
	}
	return errors.Join(w.look(), ls.Close())
}

// wantedCaps are the capabilities that probes use.
func wantedCaps() []struct {
	bit  int
	name string
} {
	return []struct {
		bit  int
		name string
	}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}, {unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, {unix.CAP_SYSLOG, "CAP_SYSLOG"}}
}

func missingCaps() []string {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&hdr, &data[0])
	var out []string
	for _, c := range wantedCaps() {
		if err != nil || data[c.bit/32].Effective>>(c.bit%32)&1 == 0 {
			out = append(out, c.name)
		}
	}
	return out
}

// Check judges what was seen.
func Check(f Facts) CheckReport {
	r := CheckReport{Kernel: f.Kernel}
	add := func(name string, ok bool, have, use, do string) {
		if ok {
			do = ""
		}
		r.Needs = append(r.Needs, Need{name, ok, have, use, do})
	}
	add("processor", f.Arch == "amd64", f.Arch, "every probe", "run it on linux/amd64: Go's calling convention elsewhere is not known here")
	caps := "all"
	if len(f.Missing) > 0 {
		caps = "without " + strings.Join(f.Missing, ", ")
	}
	add("rights", len(f.Missing) == 0, caps, "every probe", "sudo pushctl probe …, or give pushctl CAP_BPF and CAP_PERFMON, CAP_SYS_PTRACE for processes of other users and CAP_SYSLOG for names of the kernel")
	add("lockdown", f.Lockdown != "confidentiality", f.Lockdown, "every probe", "boot with lockdown=integrity: with confidentiality no program may read memory")
	add("types of the kernel", f.BTF, yes(f.BTF), "every probe", "a kernel built with CONFIG_DEBUG_INFO_BTF")
	add("breakpoints", f.Breakpoints == nil, costOr(f), "gc, lock --go", cure(f.Breakpoints, "Linux 5.15 or later, with CONFIG_UPROBE_EVENTS"))
	add("ring buffer", f.Ring == nil, tried(f.Ring), "gc", cure(f.Ring, "Linux 5.8 or later"))
	add("lock tracepoints", f.Locks == nil, tried(f.Locks), "lock --kernel", cure(f.Locks, "Linux 5.19 or later, for lock:contention_begin"))
	add("sockets", f.Net == nil, tried(f.Net), "net", cure(f.Net, "Linux 6.1 or later, for the files of one process"))
	add("kernel names", f.Names == nil, tried(f.Names), "lock --kernel, cpu", "CAP_SYSLOG, or sysctl kernel.kptr_restrict=1")
	add("process numbers", f.HostPIDs, host(f.HostPIDs), "lock --kernel, cpu, sched", "run pushctl outside of the container")
	if f.Breakpoints == nil {
		r.Cost = &f.Cost
	}
	return r
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

func host(ok bool) string {
	if ok {
		return "the host's"
	}
	return "a container's"
}

// denied tells that the kernel may well be able to, and that somebody may not.
func denied(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) }

// cure is what to do about an error that kernel would cure, unless it is one
// of rights: whether the kernel is new enough cannot be seen then.
func cure(err error, kernel string) string {
	if denied(err) {
		return "the rights, and " + kernel
	}
	return kernel
}

func tried(err error) string {
	switch {
	case err == nil:
		return "works"
	case denied(err):
		return "not allowed"
	}
	return err.Error()
}

func costOr(f Facts) string {
	if f.Breakpoints != nil {
		return tried(f.Breakpoints)
	}
	return fmt.Sprintf("%.1f µs, at a return %.1f µs", f.Cost.Push.Seconds()*1e6, f.Cost.Return.Seconds()*1e6)
}

// Missing is how many needs are not met.
func (r *CheckReport) Missing() int {
	n := 0
	for _, x := range r.Needs {
		if !x.OK {
			n++
		}
	}
	return n
}

// Releases names the programs that can be probed.
func Releases() string { return gobin.Tested }
