package doctor

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// look reads the machine.
type look struct {
	System
	pushd string // process id of a running pushd; "" = none
}

func newLook(s System) *look {
	l := &look{System: s}
	l.pushd = l.process("pushd")
	return l
}

// text is a whole small file; ok is false when it cannot be read.
func (l *look) text(name string) (string, bool) {
	b, err := fs.ReadFile(l.Root, name)
	return strings.TrimSpace(string(b)), err == nil
}

// numbers are the whole numbers in a file; none on any error.
func (l *look) numbers(name string) (v []int64) {
	text, _ := l.text(name)
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil
		}
		v = append(v, n)
	}
	return v
}

// number is the only or first number in a file.
func (l *look) number(name string) (int64, bool) {
	v := l.numbers(name)
	if len(v) == 0 {
		return 0, false
	}
	return v[0], true
}

// sysctl reads a number by its dotted name.
func (l *look) sysctl(name string) (int64, bool) { return l.number(sysctlFile(name)) }

func sysctlFile(name string) string { return "proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// meminfo returns a line of /proc/meminfo in bytes.
func (l *look) meminfo(name string) (int64, bool) {
	text, _ := l.text("proc/meminfo")
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// process returns the id of a process by its name, "" if none runs.
func (l *look) process(name string) string {
	entries, err := fs.ReadDir(l.Root, "proc")
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if comm, ok := l.text(path.Join("proc", e.Name(), "comm")); ok && comm == name {
			return e.Name()
		}
	}
	return ""
}

// processLimit returns a hard limit of a process.
func (l *look) processLimit(pid, name string) (int64, bool) {
	text, _ := l.text(path.Join("proc", pid, "limits"))
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		words := strings.Fields(rest)
		if !ok || len(words) < 2 {
			continue
		}
		if words[1] == "unlimited" {
			return 1 << 62, true
		}
		n, err := strconv.ParseInt(words[1], 10, 64)
		return n, err == nil
	}
	return 0, false
}

// unitDirs hold pushd.service and what overrides it, the stronger ones last.
func unitDirs() []string {
	return []string{"lib/systemd/system", "usr/lib/systemd/system", "etc/systemd/system", "run/systemd/system"}
}

// unitSetting returns the last value of a key of pushd.service, drop-ins
// included; "" when there is no unit or it does not say.
func (l *look) unitSetting(key string) (value string) {
	files := []string{}
	for _, dir := range unitDirs() {
		files = append(files, dir+"/pushd.service")
	}
	for _, dir := range unitDirs() {
		more, err := fs.Glob(l.Root, dir+"/pushd.service.d/*.conf")
		if err == nil {
			files = append(files, more...)
		}
	}
	for _, f := range files {
		b, err := fs.ReadFile(l.Root, f)
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			if v, ok := strings.CutPrefix(strings.TrimSpace(s.Text()), key+"="); ok {
				value = v
			}
		}
	}
	return value
}

// cgroup is the folder of pushd's control group below /sys/fs/cgroup for a
// controller of version 1, or in the only hierarchy of version 2.
func (l *look) cgroup(controller string) string {
	text, _ := l.text(path.Join("proc", l.pushd, "cgroup"))
	unified := ""
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			if c == controller {
				return path.Join("sys/fs/cgroup", controller, parts[2])
			}
		}
		if parts[1] == "" {
			unified = parts[2]
		}
	}
	return path.Join("sys/fs/cgroup", unified)
}
