package doctor

import (
	"fmt"
	"strconv"
	"strings"
)

// descriptors finds the limit that counts: that of the running pushd, else of
// its unit, both below fs.nr_open.
func descriptors(l *look, p plan) []Finding {
	ceiling, ok := l.sysctl("fs.nr_open")
	if !ok {
		return unknown("descriptors", sysctlFile("fs.nr_open"))
	}
	have, from := l.fdLimit()
	f := Finding{Check: "descriptors", State: Fine, Have: Count(have) + ", " + from, Need: Count(p.fds)}
	switch {
	case from == "":
		f.Have, f.State, f.Why = "–", Unknown, "pushd does not run here and has no unit: its limit is that of who starts it (ulimit -n)"
	case have < p.fds && from == fromShell:
		f.State, f.Why = Stop, "pushd does not run here and has no unit, so it would get this limit: install the package, or raise it with ulimit -n"
	case have < p.fds:
		f.State, f.Why = Stop, "each connection is a descriptor; --unshare-files gives every loop a table of its own, where the limit cannot be raised"
		f.Fixes = setUnit("LimitNOFILE", roundUp(p.fds))
	}
	top := Finding{Check: "fs.nr_open", State: Fine, Have: Count(ceiling), Need: Count(p.fds)}
	if ceiling < p.fds || ceiling < have && from == fromUnit {
		top.State, top.Why = Stop, "a limit above it is silently lowered, by systemd to what it has itself"
		top.Fixes = setSysctl("fs.nr_open", roundUp(max(p.fds, 1<<20)))
		if ceiling >= p.fds {
			top.State = Warn
		}
	}
	return []Finding{f, top}
}

const (
	fromProcess = "of the running pushd"
	fromUnit    = "by pushd.service"
	fromShell   = "of this shell"
)

// fdLimit returns the limit of pushd and where it is from, "" when unknown.
func (l *look) fdLimit() (int64, string) {
	if l.pushd != "" {
		if n, ok := l.processLimit(l.pushd, "Max open files"); ok {
			return n, fromProcess
		}
	}
	text := l.unitSetting("LimitNOFILE")
	soft, hard, two := strings.Cut(text, ":")
	if !two {
		hard = soft
	}
	if hard == "infinity" {
		return 1 << 62, fromUnit
	}
	if n, err := strconv.ParseInt(hard, 10, 64); err == nil {
		return n, fromUnit
	}
	if n, ok := l.processLimit("self", "Max open files"); ok {
		return n, fromShell
	}
	return 0, ""
}

// openFiles looks at the files of the whole machine.
func openFiles(l *look, p plan) []Finding {
	v := l.numbers("proc/sys/fs/file-nr")
	if len(v) != 3 {
		return unknown("fs.file-max", "proc/sys/fs/file-nr")
	}
	used, most := v[0], v[2]
	f := Finding{Check: "fs.file-max", State: Fine, Have: Count(most) + ", used " + Count(used), Need: Count(used + p.fds)}
	if used+p.fds > most {
		f.State, f.Why = Stop, "the machine opens no more files than this, whoever asks"
		f.Fixes = setSysctl("fs.file-max", roundUp(used+p.fds))
	}
	return one(f)
}

// processors looks for a quota that makes pushd wait for a core.
func processors(l *look, _ plan) []Finding {
	text, _ := l.text("proc/cpuinfo")
	cores := strings.Count("\n"+text, "\nprocessor")
	f := Finding{Check: "processors", State: Fine, Have: Count(int64(cores))}
	if cores == 0 {
		f.Have = "–"
	}
	if l.pushd == "" {
		return one(f)
	}
	quota, period := int64(0), int64(0)
	if v := l.numbers(l.cgroup("cpu") + "/cpu.max"); len(v) == 2 {
		quota, period = v[0], v[1]
	} else if q, ok := l.number(l.cgroup("cpu") + "/cpu.cfs_quota_us"); ok && q > 0 {
		quota = q
		period, _ = l.number(l.cgroup("cpu") + "/cpu.cfs_period_us")
	}
	if quota > 0 && period > 0 {
		f.Have += fmt.Sprintf(", quota %d %%", quota*100/period)
		f.State, f.Why = Warn, "a process that has used up its quota stands still for the rest of the period, up to 100 ms, and so do all its clients"
		f.Fixes = setUnit("CPUQuota", "")
	}
	return one(f)
}
