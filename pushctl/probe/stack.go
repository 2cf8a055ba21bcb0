package probe

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"pushfleet/pushctl/probe/gobin"
)

// stackDepth is how many frames the kernel keeps, as in bpf/headers/probe.h.
const stackDepth = 64

// Stack is places in the source, innermost first.
type Stack []gobin.Frame

// Site is the innermost frame of the program itself: behind the locks, the
// runtime and system calls, whose frames say only that somebody waits. Of a stack without such a
// frame it is the innermost one.
func (s Stack) Site() gobin.Frame {
	for _, f := range s {
		if !machinery(f.Func) {
			return f
		}
	}
	if len(s) > 0 {
		return s[0]
	}
	return gobin.Frame{Func: "unknown"}
}

func machinery(fn string) bool {
	for _, p := range []string{"sync.", "internal/sync.", "runtime.", "internal/runtime/", "syscall.", "internal/syscall/", "golang.org/x/sys/unix."} {
		if strings.HasPrefix(fn, p) {
			return true
		}
	}
	return false
}

// userStack names the stack of a probe at a function's entry: its first address
// is where the program was, the others are where it will return to. nil if the
// stack was lost.
func (t *Target) userStack(m *ebpf.Map, id int32) Stack {
	var out Stack
	for i, pc := range addresses(m, id) {
		addr := pc - t.base
		if i > 0 {
			addr--
		}
		if fs := t.Bin.Frames(addr); fs != nil {
			out = append(out, fs...)
		}
	}
	return out
}

// addresses reads a stack as the kernel keeps it.
func addresses(m *ebpf.Map, id int32) []uint64 {
	var raw [stackDepth]uint64
	if id < 0 || m.Lookup(uint32(id), &raw) != nil {
		return nil
	}
	for i, pc := range raw {
		if pc == 0 {
			return raw[:i]
		}
	}
	return raw[:]
}

// sortBy puts the largest first.
func sortBy[T any](s []T, key func(*T) float64) {
	slices.SortStableFunc(s, func(a, b T) int { return cmp.Compare(key(&b), key(&a)) })
}
