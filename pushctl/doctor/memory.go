package doctor

import (
	"fmt"
	"strings"
)

// memory compares what is free with what the connections take.
func memory(l *look, p plan) []Finding {
	free, ok := l.meminfo("MemAvailable")
	if !ok {
		return unknown("memory", "proc/meminfo")
	}
	if used, ok := l.used(); ok {
		free += used // of pushd, which it has already
	}
	f := Finding{Check: "memory", State: Fine, Have: Bytes(free) + " free", Need: Bytes(p.bytes)}
	switch {
	case p.bytes > free:
		f.State = Stop
		f.Why = fmt.Sprintf("a connection takes %d B in pushd and %s in the kernel, queues not counted: use a larger machine, or plan at most %s connections",
			ownBytes, Bytes(kernelBytes), Count(free/(ownBytes+kernelBytes)))
	case p.bytes > free/10*8:
		f.State, f.Why = Warn, "less than a fifth is left for messages that wait, and for everything else"
	}
	return one(f)
}

// used is the resident memory of the running pushd in bytes.
func (l *look) used() (int64, bool) {
	v := l.numbers("proc/" + l.pushd + "/statm")
	if l.pushd == "" || len(v) < 2 {
		return 0, false
	}
	return v[1] * pageBytes, true
}

const pageBytes = 4096

// cgroupMemory looks at the limits of pushd's control group. It says nothing
// where there is none.
func cgroupMemory(l *look, p plan) (found []Finding) {
	if l.pushd == "" {
		return nil
	}
	dir := l.cgroup("memory")
	for _, limit := range []struct{ file, key string }{{"memory.max", "MemoryMax"}, {"memory.high", "MemoryHigh"}, {"memory.limit_in_bytes", "MemoryMax"}} {
		n, ok := l.number(dir + "/" + limit.file)
		if !ok || n > 1<<60 { // "max" is no number
			continue
		}
		f := Finding{Check: limit.key, State: Fine, Have: Bytes(n), Need: Bytes(p.bytes)}
		if p.bytes > n {
			f.State, f.Why = Stop, "the unit may not use so much: the kernel kills pushd, or slows it down until nothing moves"
			f.Fixes = setUnit(limit.key, fmt.Sprintf("%dM", p.bytes/4*5>>20))
		}
		found = append(found, f)
	}
	return found
}

// overcommit looks for a kernel that wants all address space to be backed.
func overcommit(l *look, _ plan) []Finding {
	mode, ok := l.sysctl("vm.overcommit_memory")
	if !ok {
		return unknown("overcommit", sysctlFile("vm.overcommit_memory"))
	}
	f := Finding{Check: "overcommit", State: Fine, Have: fmt.Sprint("mode ", mode)}
	if mode == 2 {
		f.State, f.Why = Warn, "pushd reserves far more address space than it uses, which this mode may refuse"
		f.Fixes = setSysctl("vm.overcommit_memory", 0)
	}
	return one(f)
}

func swap(l *look, _ plan) []Finding {
	total, ok := l.meminfo("SwapTotal")
	if !ok {
		return unknown("swap", "proc/meminfo")
	}
	f := Finding{Check: "swap", State: Fine, Have: "none"}
	if total > 0 {
		swappiness, _ := l.sysctl("vm.swappiness")
		f.Have = fmt.Sprintf("%s, swappiness %d", Bytes(total), swappiness)
		if swappiness > 10 {
			f.State, f.Why = Warn, "idle connections are what a kernel swaps out first, and each message to one then waits for the disk"
			f.Fixes = setSysctl("vm.swappiness", 1)
		}
	}
	return one(f)
}

func hugePages(l *look, _ plan) []Finding {
	const file = "sys/kernel/mm/transparent_hugepage/enabled"
	text, ok := l.text(file)
	if !ok {
		return one(Finding{Check: "huge pages", State: Fine, Have: "none"})
	}
	_, mode, _ := strings.Cut(text, "[")
	mode, _, _ = strings.Cut(mode, "]")
	f := Finding{Check: "huge pages", State: Fine, Have: mode}
	if mode == "always" {
		f.State, f.Why = Warn, "tables that are used thinly then take whole 2 MB pages, and the kernel stops the process to make them"
		f.Fixes = []Fix{{File: tmpfile, Line: "w /" + file + " - - - - madvise", Then: "systemd-tmpfiles --create " + tmpfile}}
	}
	return one(f)
}
