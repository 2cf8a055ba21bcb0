package recorder

import (
	"bytes"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"pushfleet/internal/record"
)

func processFields() []record.Field {
	c := func(name, unit string, scale float64, help string) record.Field {
		return record.Field{Name: "process." + name, Unit: unit, Kind: record.Counter, Scale: scale, Help: help}
	}
	return []record.Field{
		c("user", "%", 1e-4, "CPU of the node in user mode, in % of one core."),
		c("system", "%", 1e-4, "CPU of the node in the kernel."),
		c("faults", "", 0, "Page faults of the node."),
		c("major_faults", "", 0, "Page faults of the node that waited for a disk."),
		c("switches", "", 0, "Times that a thread of the node had nothing to do."),
		c("preempted", "", 0, "Times that a thread of the node had to give up its core."),
		{Name: "process.fds", Kind: record.Gauge, Help: "Open descriptors of the node."},
	}
}

// readProcess asks the kernel about this process, without any file.
func readProcess(v []int64) {
	for i := range v {
		v[i] = record.Missing
	}
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) == nil {
		v[0], v[1] = r.Utime.Nano()/1000, r.Stime.Nano()/1000
		v[2], v[3], v[4], v[5] = r.Minflt, r.Majflt, r.Nvcsw, r.Nivcsw
	}
	// Linux 6.2 and later tell the number as the size of the directory.
	var st unix.Stat_t
	if unix.Stat("/proc/self/fd", &st) == nil && st.Size > 0 {
		v[6] = st.Size
	}
}

// residentSource reads /proc/self/statm.
func residentSource() *source {
	page := float64(os.Getpagesize())
	return &source{path: "self/statm", fields: []record.Field{{Name: "process.rss", Unit: "B", Kind: record.Gauge, Scale: page, Help: "Memory of the node that is not swapped out, shared pages included."}},
		parse: func(b []byte, v []int64) {
			_, rest := cutWord(b)
			v[0], _ = nextNumber(rest)
		}}
}

// kernelSources are all files of the kernel that are read.
func kernelSources(cores int, whole func([]byte) bool) []*source {
	return []*source{
		cpuSource(cores), waitSource(),
		pressureSource("cpu", "a core"), pressureSource("memory", "memory"), pressureSource("io", "a disk"),
		memorySource(), pagesSource(), diskSource(whole),
		deviceSource(), protocolSource(), extendedSource(), socketSource(), softnetSource(), residentSource(),
	}
}

// disks returns what tells disks from their parts and from layers over them,
// as of now.
func disks(dir string) func([]byte) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return func([]byte) bool { return false }
	}
	var names []string
	for _, e := range entries {
		layer := slices.ContainsFunc([]string{"loop", "ram", "zram", "dm-", "md", "sr", "fd"}, func(p string) bool {
			return bytes.HasPrefix([]byte(e.Name()), []byte(p))
		})
		if !layer {
			names = append(names, e.Name())
		}
	}
	return func(name []byte) bool {
		for _, n := range names {
			if string(name) == n {
				return true
			}
		}
		return false
	}
}
