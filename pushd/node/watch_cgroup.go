package node

import (
	"os"
	"strings"
)

// throttled is how long, in seconds, the control group of the process has been
// kept from running by its CPU limit. 0 without a limit, or where the files
// are in none of the usual places.
func throttled() float64 {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	for _, dir := range cpuGroups(string(groups)) {
		b, err := os.ReadFile(dir + "/cpu.stat")
		if err != nil {
			continue
		}
		if s, ok := throttledIn(string(b)); ok {
			return s
		}
	}
	return 0
}

// cpuGroups are the directories that may belong to the control group of the
// CPU. In a container the path is that of the host, and the group is the root
// that the container sees.
func cpuGroups(groups string) []string {
	var dirs []string
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			switch {
			case c == "cpu":
				dirs = append(dirs, "/sys/fs/cgroup/"+f[1]+f[2], "/sys/fs/cgroup/cpu"+f[2], "/sys/fs/cgroup/cpu")
			case f[1] == "":
				dirs = append(dirs, "/sys/fs/cgroup"+f[2], "/sys/fs/cgroup/unified"+f[2], "/sys/fs/cgroup")
			}
		}
	}
	return dirs
}

// throttledIn reads a cpu.stat of either version.
func throttledIn(stat string) (seconds float64, ok bool) {
	for line := range strings.Lines(stat) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "throttled_usec":
			return nanos([]byte(value)) * 1e3, true
		case "throttled_time":
			return nanos([]byte(value)), true
		}
	}
	return 0, false
}
