package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func clock(l *look, _ plan) []Finding {
	synced, off, err := l.Clock()
	switch {
	case err != nil:
		return one(Finding{Check: "clock", State: Unknown, Have: "–", Why: err.Error()})
	case !synced:
		return one(Finding{Check: "clock", State: Warn, Have: "kept by nobody", Why: "tokens expire and knobs go back by the clock, and times of several nodes are compared: install chrony, or systemctl enable --now systemd-timesyncd"})
	}
	return one(Finding{Check: "clock", State: Fine, Have: fmt.Sprintf("synchronised, at most %s off", off.Round(time.Millisecond))})
}

// Capabilities that loading programs into the kernel needs.
const (
	capSysAdmin = 21
	capPerfmon  = 38
	capBPF      = 39
)

// probes says whether pushctl probe could work here. Nothing of it keeps
// connections away.
func probes(l *look, _ plan) []Finding {
	f := Finding{Check: "probes", State: Fine, Have: "possible"}
	switch {
	case !l.exists("sys/kernel/btf/vmlinux"):
		f.Have, f.Why = "no BTF", "pushctl probe needs a kernel that describes its types (CONFIG_DEBUG_INFO_BTF)"
	case l.lockedDown():
		f.Have, f.Why = "locked down", "the kernel is in lockdown for confidentiality, and lets nobody look inside"
	case !l.exists("sys/kernel/tracing/events") && !l.exists("sys/kernel/debug/tracing/events"):
		f.Have, f.Why = "no tracefs", "pushctl probe needs tracepoints: mount -t tracefs tracefs /sys/kernel/tracing"
	case l.UID != 0 && !l.may(capSysAdmin) && !(l.may(capBPF) && l.may(capPerfmon)):
		f.Have, f.Why = "not as this user", "pushctl probe loads programs into the kernel: run it with sudo"
	}
	if f.Why != "" {
		f.State = Warn
	}
	return one(f)
}

func (l *look) exists(name string) bool {
	file, err := l.Root.Open(name)
	if err == nil {
		file.Close()
	}
	return err == nil
}

func (l *look) lockedDown() bool {
	text, _ := l.text("sys/kernel/security/lockdown")
	return strings.Contains(text, "[confidentiality]")
}

// may tells whether whoever asks has a capability.
func (l *look) may(capability uint) bool {
	text, _ := l.text("proc/self/status")
	for line := range strings.Lines(text) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && set>>capability&1 == 1
		}
	}
	return false
}
