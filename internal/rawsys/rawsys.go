// Package rawsys makes the system calls of event loops cheap for the Go
// scheduler. It is the only place that may use RawSyscall.
//
// An ordinary Syscall wakes the runtime's monitor thread when all processors
// were idle, which costs a lightly loaded loop more than the call itself. A raw
// call does not, but while it runs the scheduler is blind: a long row of raw
// calls starves other goroutines and delays the garbage collector. So only
// calls that cannot block go raw, and only Turn of them between two parks;
// beyond that the same call is made the ordinary way.
package rawsys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Turn is the number of raw calls a Budget allows between two parks.
const Turn = 16

// Budget counts the raw calls of one goroutine since it last parked. The zero
// value is spent: it makes ordinary calls until Reset. Not safe for
// concurrent use.
type Budget struct{ left int }

// Reset allows Turn raw calls again. Call it right after the goroutine was
// parked, never in a loop that does not park.
func (b *Budget) Reset() { b.left = Turn }

// call is not inlined so that each system call has a stack check before it,
// where the scheduler can preempt.
//
//go:noinline
func (b *Budget) call(trap, a1, a2, a3 uintptr) (uintptr, unix.Errno) {
	if b != nil && b.left > 0 {
		b.left--
		r, _, e := unix.RawSyscall(trap, a1, a2, a3)
		return r, e
	}
	r, _, e := unix.Syscall(trap, a1, a2, a3)
	return r, e
}

//go:noinline
func (b *Budget) call6(trap, a1, a2, a3, a4, a5 uintptr) (uintptr, unix.Errno) {
	if b != nil && b.left > 0 {
		b.left--
		r, _, e := unix.RawSyscall6(trap, a1, a2, a3, a4, a5, 0)
		return r, e
	}
	r, _, e := unix.Syscall6(trap, a1, a2, a3, a4, a5, 0)
	return r, e
}

func result(n uintptr, e unix.Errno) (int, error) {
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}

// Read reads from a non-blocking descriptor. Errors are unix.Errno; EAGAIN
// comes back as it is. EINTR cannot happen on a call that does not sleep.
func (b *Budget) Read(fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return result(b.call(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))))
}

// Write writes to a non-blocking descriptor; it may take less than all.
func (b *Budget) Write(fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return result(b.call(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p))))
}

// Writev writes several pieces to a non-blocking descriptor in one call; at
// most 1024 of them.
func (b *Budget) Writev(fd int, iov []unix.Iovec) (int, error) {
	if len(iov) == 0 {
		return 0, nil
	}
	return result(b.call(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov))))
}

// Accept4 takes one connection from a non-blocking listener. sa and salen may
// be nil when the peer's address is not wanted.
func (b *Budget) Accept4(fd int, sa *unix.RawSockaddrAny, flags int) (int, error) {
	n := uint32(unsafe.Sizeof(unix.RawSockaddrAny{}))
	var np *uint32
	if sa != nil {
		np = &n
	}
	return result(b.call6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(np)), uintptr(flags), 0))
}

// Getsockopt reads a socket option of n bytes into p; it does not sleep. It
// returns the number of bytes that the kernel wrote.
func (b *Budget) Getsockopt(fd, level, name int, p unsafe.Pointer, n uint32) (int, error) {
	_, e := b.call6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(p), uintptr(unsafe.Pointer(&n)))
	return result(uintptr(n), e)
}

// epollPoll is epoll_wait with a timeout of zero.
func (b *Budget) epollPoll(epfd int, ev []unix.EpollEvent) (int, error) {
	return result(b.call6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&ev[0])), uintptr(len(ev)), 0, 0))
}
