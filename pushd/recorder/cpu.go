package recorder

import (
	"fmt"

	"pushfleet/internal/record"
)

// coresMax bounds the cores that have fields of their own; all are in the sum.
const coresMax = 128

// cpuColumns are the columns of a cpu line that are kept; user and nice go
// together.
var cpuColumns = [...]int{0, 0, 1, 2, 3, 4, 5, 6}

// Fields of the whole machine and of one core, in this order. The kernel
// counts in ticks of 10 ms: one a second is 1 % of a core.
const (
	cpuUser = iota
	cpuSystem
	cpuIdle
	cpuIOWait
	cpuIRQ
	cpuSoftIRQ
	cpuSteal
	cpuSums
)

// coreColumns are those that a core has fields for.
var coreColumns = [...]int{cpuUser, cpuSystem, cpuIRQ, cpuSoftIRQ}

func cpuFields(cores int) []record.Field {
	c := func(name, help string) record.Field {
		return record.Field{Name: name, Unit: "%", Kind: record.Counter, Help: help}
	}
	fields := []record.Field{
		c("cpu.user", "All cores in user mode, nice included, in % of one core."),
		c("cpu.system", "All cores in the kernel."),
		c("cpu.idle", "All cores with nothing to do."),
		c("cpu.iowait", "All cores idle with a disk to wait for."),
		c("cpu.irq", "All cores in hardware interrupts."),
		c("cpu.softirq", "All cores in soft interrupts: most of the network."),
		c("cpu.steal", "All cores taken by other machines of the host."),
		{Name: "kernel.interrupts", Kind: record.Counter, Help: "Hardware interrupts."},
		{Name: "kernel.switches", Kind: record.Counter, Help: "Context switches of the machine."},
		{Name: "kernel.forks", Kind: record.Counter, Help: "Processes and threads begun."},
		{Name: "kernel.softirqs", Kind: record.Counter, Help: "Soft interrupts."},
		{Name: "cpu.runnable", Kind: record.Peak, Help: "Threads that run or wait for a core: the run queue."},
		{Name: "cpu.blocked", Kind: record.Peak, Help: "Threads that wait for a disk."},
	}
	for i := range min(cores, coresMax) {
		for _, kind := range []string{"user", "system", "irq", "softirq"} {
			fields = append(fields, c(fmt.Sprintf("cpu%d.%s", i, kind), ""))
		}
	}
	return fields
}

// cpuSource reads /proc/stat.
func cpuSource(cores int) *source {
	const first, switches = cpuSums, cpuSums + 6
	names := map[string]int{"intr": first, "ctxt": first + 1, "processes": first + 2, "softirq": first + 3,
		"procs_running": first + 4, "procs_blocked": first + 5}
	return &source{path: "stat", fields: cpuFields(cores), parse: func(b []byte, v []int64) {
		var line, name []byte
		for len(b) > 0 {
			line, b = cutLine(b)
			name, line = cutWord(line)
			if i, ok := names[string(name)]; ok {
				v[i], _ = nextNumber(line)
				continue
			}
			if len(name) < 3 || string(name[:3]) != "cpu" {
				continue
			}
			if len(name) == 3 {
				cpuLine(line, v)
				continue
			}
			core := number(name[3:])
			at := switches + int(core)*len(coreColumns)
			if core >= 0 && at+len(coreColumns) <= len(v) {
				coreLine(line, v[at:])
			}
		}
	}}
}

func cpuLine(line []byte, v []int64) {
	var n int64
	for _, to := range cpuColumns {
		n, line = nextNumber(line)
		plus(&v[to], n)
	}
}

func coreLine(line []byte, v []int64) {
	var all [cpuSums]int64
	cpuLine(line, all[:])
	for i, from := range coreColumns {
		v[i] = all[from]
	}
}

// waitSource reads /proc/schedstat, if the kernel keeps it.
func waitSource() *source {
	return &source{path: "schedstat", fields: []record.Field{{Name: "cpu.wait", Unit: "%", Kind: record.Counter, Scale: 1e-7,
		Help: "Time that threads of the machine waited for a core, in % of the time of one."}},
		parse: func(b []byte, v []int64) {
			const waitColumn = 8 // ns, behind the name and seven others
			var line, word []byte
			for len(b) > 0 {
				line, b = cutLine(b)
				if word, line = cutWord(line); len(word) < 4 || string(word[:3]) != "cpu" {
					continue
				}
				for range waitColumn {
					word, line = cutWord(line)
				}
				plus(&v[0], number(word))
			}
		}}
}

// pressureSource reads one file of /proc/pressure: µs of a second in which
// some, or all, of the threads that could run stalled.
func pressureSource(what, help string) *source {
	field := func(name, who string) record.Field {
		return record.Field{Name: name, Unit: "%", Kind: record.Counter, Scale: 1e-4, Help: "Share of the time in which " + who + " threads waited for " + help + "."}
	}
	return &source{path: "pressure/" + what, fields: []record.Field{field("stall."+what, "some"), field("stall."+what+"_full", "all")},
		parse: func(b []byte, v []int64) {
			var line, word []byte
			for i := 0; len(b) > 0 && i < len(v); i++ {
				line, b = cutLine(b)
				for len(line) > 0 {
					if word, line = cutWord(line); len(word) > 6 && string(word[:6]) == "total=" {
						v[i] = number(word[6:])
					}
				}
			}
		}}
}
