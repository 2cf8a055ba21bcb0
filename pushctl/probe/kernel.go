package probe

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// KernelFrames is how many functions of the kernel name a site there.
const KernelFrames = 3

// kernelSymbols are the functions of the kernel in order of their addresses.
type kernelSymbols []kernelSymbol

type kernelSymbol struct {
	addr uint64
	name string
}

// kernelNames reads the names of the kernel's functions, if they are wanted.
func kernelNames(wanted bool) (kernelSymbols, error) {
	if !wanted {
		return nil, nil
	}
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSymbols(f)
}

func readSymbols(r io.Reader) (kernelSymbols, error) {
	var out kernelSymbols
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 3 || f[1] != "t" && f[1] != "T" {
			continue
		}
		addr, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("/proc/kallsyms: %w", err)
		}
		if addr != 0 {
			out = append(out, kernelSymbol{addr, f[2]})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("/proc/kallsyms: %w", err)
	}
	if len(out) == 0 {
		return nil, errors.New("the kernel hides the names of its functions: run with sudo, give CAP_SYSLOG, or set kernel.kptr_restrict to 1")
	}
	slices.SortFunc(out, func(a, b kernelSymbol) int { return cmp.Compare(a.addr, b.addr) })
	return out, nil
}

func (ks kernelSymbols) name(addr uint64) string {
	i, found := slices.BinarySearchFunc(ks, addr, func(s kernelSymbol, a uint64) int { return cmp.Compare(s.addr, a) })
	if !found {
		i--
	}
	if i < 0 {
		return fmt.Sprintf("%#x", addr)
	}
	return ks[i].name
}

// stack names a stack of the kernel, without the frames of the probe itself.
func (ks kernelSymbols) stack(m *ebpf.Map, id int32) []string {
	if ks == nil {
		return nil
	}
	var out []string
	for _, pc := range addresses(m, id) {
		if n := ks.name(pc); out != nil || !probeFrame(n) {
			out = append(out, n)
		}
	}
	return out
}

// probeFrame tells the frames between a tracepoint and the probe. Programs are
// named bpf_prog_… where the kernel shows them, and are otherwise attributed to
// the last function before them.
func probeFrame(name string) bool {
	for _, p := range []string{"bpf_", "__bpf_", "__traceiter_", "__probestub_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// KernelSite is the functions that name a site in the kernel, innermost first:
// the first ones behind those of the lock itself.
func (s *Site) KernelSite() []string { return kernelSite(s.Frames) }

func kernelSite(frames []string) []string {
	i := 0
	for i < len(frames)-1 && lockFrame(frames[i]) {
		i++
	}
	return frames[i:min(len(frames), i+KernelFrames)]
}

// lockFrame tells functions that only take a lock.
func lockFrame(name string) bool {
	for _, p := range []string{"__pv_queued", "native_queued", "queued_", "_raw_", "do_raw_", "rwsem_", "down_", "__down", "up_", "mutex_lock", "__mutex_lock", "rt_mutex", "__rt_mutex", "percpu_down", "__percpu_down"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// tracepoints attaches programs whose tracepoint is in their type, in order.
func tracepoints(progs ...*ebpf.Program) (links, error) {
	var ls links
	for _, p := range progs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tracepoint: %w", needs(err)), ls.Close())
		}
		ls = append(ls, l)
	}
	return ls, nil
}
