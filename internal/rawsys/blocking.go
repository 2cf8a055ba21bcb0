package rawsys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// BlockingEpollWait is epoll_wait by a raw call that sleeps, up to msec
// milliseconds (-1: for ever). It exists only for the floor that pushctl bench
// compares with: one thread that behaves like a C program.
//
// While it sleeps, the scheduler believes that the processor it holds is
// running Go code: a garbage collection or a stop of the world waits for it. So
// the program must run with the collector off, on a locked thread, and do
// nothing else. Never use it in a gateway.
//
//go:noinline
func BlockingEpollWait(epfd int, events []unix.EpollEvent, msec int) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(msec), 0, 0)
	return result(n, e)
}

// RawRead and RawWrite are read and write by unbudgeted raw calls, with the
// same restriction.
//
//go:noinline
func RawRead(fd int, p []byte) (int, error) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return result(n, e)
}

// RawWrite is described at RawRead.
//
//go:noinline
func RawWrite(fd int, p []byte) (int, error) {
	n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return result(n, e)
}
