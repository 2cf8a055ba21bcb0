package probe

import (
	"bytes"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// perfOnly tells kernels that cannot set many breakpoints at once: there each
// one is a perf event. It costs as much when it is hit, and more to set.
func perfOnly(release string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major < 6 || major == 6 && minor < 6
}

// release is that of the running kernel, "" if it does not say.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return string(bytes.TrimRight(u.Release[:], "\x00"))
}

// fit makes programs for breakpoints ones for perf events, if this target wants
// those.
func (t *Target) fit(spec *ebpf.CollectionSpec) {
	for _, p := range spec.Programs {
		if t.perf && p.AttachType == ebpf.AttachTraceUprobeMulti {
			p.AttachType = ebpf.AttachNone
		}
	}
}

// placeByPerf sets breakpoints of one program, at offsets in the file.
func (t *Target) placeByPerf(p point, offsets []uint64) (link.Link, error) {
	var ls links
	for _, off := range offsets {
		l, err := t.exe.Uprobe("", p.prog, &link.UprobeOptions{Address: off, PID: t.PID, Cookie: p.cookie})
		if err != nil {
			ls.Close()
			return nil, fmt.Errorf("set breakpoints: %w", needs(err))
		}
		ls = append(ls, l)
	}
	return together{Link: ls[0], all: ls}, nil
}

// together is several links that are closed as one.
type together struct {
	link.Link
	all links
}

// Close implements link.Link.
func (t together) Close() error { return t.all.Close() }
