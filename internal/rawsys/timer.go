package rawsys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Timer is a timerfd on CLOCK_MONOTONIC. Watched by a Poller, edge-triggered,
// it ends Wait to within microseconds, where the runtime's own timers round
// short sleeps of an idle process up to a millisecond. It never needs to be
// read.
type Timer struct {
	fd   int
	spec unix.ItimerSpec
}

// NewTimer makes a Timer that is not set.
func NewTimer() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	return &Timer{fd: fd}, nil
}

// FD is what to give to Poller.Add, with EPOLLIN|EPOLLET.
func (t *Timer) FD() int { return t.fd }

// Set makes the Timer fire once at ns on CLOCK_MONOTONIC, at once if that has
// passed; 0 unsets it. b is the budget of the calling goroutine and may be nil.
func (t *Timer) Set(b *Budget, ns int64) error {
	t.spec.Value = unix.NsecToTimespec(ns)
	_, err := result(b.call6(unix.SYS_TIMERFD_SETTIME, uintptr(t.fd), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&t.spec)), 0, 0))
	return err
}

// Close frees the descriptor in the caller's table.
func (t *Timer) Close() error { return unix.Close(t.fd) }
