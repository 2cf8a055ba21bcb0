package probe

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// point is a program and the addresses of the file where it runs.
type point struct {
	prog   *ebpf.Program
	addrs  []uint64
	cookie uint64
}

// links are what holds breakpoints in place.
type links []link.Link

// Close takes them away, the last first: ends are watched longer than begins.
func (ls links) Close() error {
	var errs []error
	for _, l := range slices.Backward(ls) {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// attach places breakpoints in the order given: those at returns come first,
// so that no begin is left without its end. They are never uretprobes, which
// overwrite return addresses and so kill a program whose stacks move.
func (t *Target) attach(points ...point) (links, error) {
	for _, p := range points {
		if err := t.verify(p.addrs); err != nil {
			return nil, err
		}
	}
	var ls links
	for _, p := range points {
		l, err := t.place(p)
		if err != nil {
			return nil, errors.Join(err, ls.Close())
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func (t *Target) place(p point) (link.Link, error) {
	o := &link.UprobeMultiOptions{PID: uint32(t.PID)}
	for _, a := range p.addrs {
		off, ok := t.Bin.FileOffset(a)
		if !ok {
			return nil, fmt.Errorf("address %#x is in no executable segment", a)
		}
		o.Addresses = append(o.Addresses, off)
		if p.cookie != 0 {
			o.Cookies = append(o.Cookies, p.cookie)
		}
	}
	if t.perf {
		return t.placeByPerf(p, o.Addresses)
	}
	l, err := t.exe.UprobeMulti(nil, p.prog, o)
	if err != nil {
		return nil, fmt.Errorf("set breakpoints: %w", needs(err))
	}
	return l, nil
}

// The bytes that a probe may find in the process at its places: the program's
// own, or the breakpoint of another probe.
const (
	bytePush  = 0x55
	byteRet   = 0xc3
	byteBreak = 0xcc
)

// verify compares the living process with the file: a breakpoint inside an
// instruction would kill it.
func (t *Target) verify(addrs []uint64) error {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", t.PID))
	if err != nil {
		return needs(err)
	}
	defer mem.Close()
	for _, a := range addrs {
		var b [1]byte
		if _, err := mem.ReadAt(b[:], int64(a+t.base)); err != nil {
			return fmt.Errorf("read its code at %#x: %w", a+t.base, needs(err))
		}
		if b[0] != bytePush && b[0] != byteRet && b[0] != byteBreak {
			return fmt.Errorf("its code at %#x is %#02x, which is not what the file holds: not probed, because a breakpoint there could kill it", a+t.base, b[0])
		}
	}
	return nil
}

// rights is what to do about missing rights.
const rights = "run it with sudo, or give it CAP_BPF and CAP_PERFMON, and CAP_SYS_PTRACE for a process of another user"

// needs puts what to do in place of the hints of libraries, which blame
// RLIMIT_MEMLOCK for everything.
func needs(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: %s", unix.EPERM, rights)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w by this kernel: pushctl probe check says what is missing", ebpf.ErrNotSupported)
	}
	return err
}
