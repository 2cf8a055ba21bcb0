package probe

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func fineHost() Facts {
	return Facts{Kernel: "6.18.1", Arch: "amd64", Lockdown: "integrity", BTF: true, HostPIDs: true, Cost: Cost{Push: 400 * time.Nanosecond, Return: 4 * time.Microsecond}}
}

func TestCheck(t *testing.T) {
	f := func(change func(*Facts), name, have, do string) {
		t.Helper()
		h := fineHost()
		change(&h)
		r := Check(h)
		if r.Missing() != 1 {
			t.Errorf("%s: %d missing: %+v", name, r.Missing(), r.Needs)
		}
		for _, n := range r.Needs {
			if n.OK == (n.Do != "") {
				t.Errorf("%+v", n)
			}
			if !n.OK && (n.Name != name || !strings.Contains(n.Have, have) || !strings.Contains(n.Do, do)) {
				t.Errorf("%+v, want %s: %s: %s", n, name, have, do)
			}
		}
	}
	f(func(h *Facts) { h.Arch = "arm64" }, "processor", "arm64", "linux/amd64")
	f(func(h *Facts) { h.Missing = []string{"CAP_BPF", "CAP_SYSLOG"} }, "rights", "without CAP_BPF, CAP_SYSLOG", "sudo")
	f(func(h *Facts) { h.Lockdown = "confidentiality" }, "lockdown", "confidentiality", "integrity")
	f(func(h *Facts) { h.BTF = false }, "types of the kernel", "no", "CONFIG_DEBUG_INFO_BTF")
	f(func(h *Facts) { h.Breakpoints = errors.New("nope") }, "breakpoints", "nope", "5.15")
	f(func(h *Facts) { h.Ring = errors.New("nope") }, "ring buffer", "nope", "5.8")
	f(func(h *Facts) { h.Locks = errors.New("nope") }, "lock tracepoints", "nope", "5.19")
	f(func(h *Facts) { h.Net = errors.New("nope") }, "sockets", "nope", "6.1")
	f(func(h *Facts) { h.Names = errors.New("nope") }, "kernel names", "nope", "CAP_SYSLOG")
	f(func(h *Facts) { h.HostPIDs = false }, "process numbers", "a container's", "outside")
	if r := Check(fineHost()); r.Missing() != 0 || r.Cost == nil || r.Cost.Push != 400 {
		t.Errorf("%+v", r)
	}
}

func TestLookAtThisHost(t *testing.T) {
	h := Look()
	if h.Kernel == "" || h.Arch == "" {
		t.Errorf("%+v", h)
	}
	if os.Geteuid() != 0 {
		t.Skip("what works is only known to root")
	}
	allowed(t)
	if h.Breakpoints != nil || h.Ring != nil || h.Net != nil || h.Cost.Push <= 0 || h.Cost.Return <= 0 {
		t.Errorf("%+v", h)
	}
}

func TestChosen(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := chosen(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("none [integrity] confidentiality\n", "integrity")
	f("[none] integrity confidentiality\n", "none")
	f("", "")
}

// TestNeedsHidesForeignHints wants our advice in place of a library's.
func TestNeedsHidesForeignHints(t *testing.T) {
	err := needs(errors.Join(errors.New("MEMLOCK may be too low, consider rlimit.RemoveMemlock"), unix.EPERM))
	if err == nil || strings.Contains(err.Error(), "MEMLOCK") || !strings.Contains(err.Error(), "CAP_BPF and CAP_PERFMON") || !errors.Is(err, unix.EPERM) {
		t.Errorf("%v", err)
	}
	plain := errors.New("plain")
	if needs(plain) != plain {
		t.Error("another error was changed")
	}
}
