package doctor

import (
	"fmt"
	"strconv"
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

// cgroupMemory looks at the limits of pushd's control group, or of its unit
// when it does not run. It says nothing where there are none.
func cgroupMemory(l *look, p plan) (found []Finding) {
	for _, limit := range l.memoryLimits() {
		f := Finding{Check: limit.key, State: Fine, Have: Bytes(limit.bytes), Need: Bytes(p.bytes)}
		if p.bytes > limit.bytes {
			f.State, f.Why = Stop, "the unit may not use so much: the kernel kills pushd, or slows it down until nothing moves"
			f.Fixes = setUnit(limit.key, fmt.Sprintf("%dM", p.bytes/4*5>>20))
		}
		found = append(found, f)
	}
	return found
}

// memoryLimit is a limit by its key in a unit.
type memoryLimit struct {
	key   string
	bytes int64
}

func (l *look) memoryLimits() (out []memoryLimit) {
	if l.pushd == "" {
		total, _ := l.meminfo("MemTotal")
		for _, key := range []string{"MemoryMax", "MemoryHigh"} {
			if n, ok := unitBytes(l.unitSetting(key), total); ok {
				out = append(out, memoryLimit{key, n})
			}
		}
		return out
	}
	dir := l.cgroup("memory")
	for _, limit := range []struct{ file, key string }{{"memory.max", "MemoryMax"}, {"memory.high", "MemoryHigh"}, {"memory.limit_in_bytes", "MemoryMax"}} {
		// "max" is no number, and version 1 writes a very large one.
		if n, ok := l.number(dir + "/" + limit.file); ok && n < 1<<60 {
			out = append(out, memoryLimit{limit.key, n})
		}
	}
	return out
}

// unitBytes reads a size as units have it: 80%, 2G, 1048576; ok is false for
// none and infinity.
func unitBytes(text string, total int64) (n int64, ok bool) {
	if text == "" {
		return 0, false
	}
	digits, shift := text[:len(text)-1], 0
	switch text[len(text)-1] {
	case '%':
		v, err := strconv.ParseFloat(digits, 64)
		return int64(v / 100 * float64(total)), err == nil && total > 0
	case 'K':
		shift = 10
	case 'M':
		shift = 20
	case 'G':
		shift = 30
	case 'T':
		shift = 40
	default:
		digits = text
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n << shift, err == nil && n < 1<<20<<(40-shift)
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
