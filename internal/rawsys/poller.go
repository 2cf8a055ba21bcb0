package rawsys

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Waker wakes one Poller from any goroutine. It is made apart from the Poller
// because, when loops have descriptor tables of their own, it must be made
// while the table is still shared: only then do both sides know its number.
type Waker struct{ fd int }

// NewWaker makes an eventfd in the caller's descriptor table.
func NewWaker() (*Waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &Waker{fd: fd}, nil
}

var one = [8]byte{1} // constant; read only

// Wake makes the Poller's Wait return. b may be nil; it is the budget of the
// calling goroutine.
func (w *Waker) Wake(b *Budget) {
	// EAGAIN means the counter is at its maximum: the wake is already due.
	_, _ = b.Write(w.fd, one[:])
}

// Close closes the eventfd in the caller's descriptor table.
func (w *Waker) Close() error { return unix.Close(w.fd) }

// Poller is an epoll instance whose owner parks in Go's own netpoller: the
// epoll descriptor itself is what the runtime waits for. The owner is one
// goroutine; only Wake may be called by others.
type Poller struct {
	// Budget is for the owner's calls; Wait resets it.
	Budget Budget
	// BeforePark, when set, is asked each time nothing is ready: true parks,
	// false returns from Wait with no events. A loop announces there that it
	// sleeps and looks at its inbox once more.
	BeforePark func() bool

	epfd   int
	file   *os.File
	raw    syscall.RawConn
	events []unix.EpollEvent
	n      int
	err    error
	waker  *Waker
	own    bool
	wait   func(uintptr) bool
}

// wakeData is the event data of the waker; Poller consumes such events.
const wakeData = ^uint64(0)

// NewPoller makes a Poller with its own Waker that returns at most n events at a time.
func NewPoller(n int) (*Poller, error) {
	w, err := NewWaker()
	if err != nil {
		return nil, err
	}
	p, err := NewPollerWith(n, w)
	if err != nil {
		w.Close()
		return nil, err
	}
	p.own = true
	return p, nil
}

// NewPollerWith makes a Poller woken by w, which stays the caller's.
func NewPollerWith(n int, w *Waker) (*Poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &Poller{epfd: epfd, events: make([]unix.EpollEvent, n), waker: w}
	p.file = os.NewFile(uintptr(epfd), "epoll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p.wait = p.ready
	// Edge-triggered, so the counter never needs to be read back.
	if err := p.Add(w.fd, unix.EPOLLIN|unix.EPOLLET, wakeData); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

func event(events uint32, data uint64) unix.EpollEvent {
	return unix.EpollEvent{Events: events, Fd: int32(uint32(data)), Pad: int32(uint32(data >> 32))}
}

// Data returns what was given to Add.
func Data(ev *unix.EpollEvent) uint64 { return uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32 }

// Add watches fd.
func (p *Poller) Add(fd int, events uint32, data uint64) error {
	ev := event(events, data)
	return os.NewSyscallError("epoll_ctl add", unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &ev))
}

// Mod changes what is watched of fd.
func (p *Poller) Mod(fd int, events uint32, data uint64) error {
	ev := event(events, data)
	return os.NewSyscallError("epoll_ctl mod", unix.EpollCtl(p.epfd, unix.EPOLL_CTL_MOD, fd, &ev))
}

// Del stops watching fd. Closing the last descriptor of a socket does the same.
func (p *Poller) Del(fd int) error {
	return os.NewSyscallError("epoll_ctl del", unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, fd, nil))
}

// Wait parks the goroutine until something is ready and returns it; the slice
// is valid until the next call. It may return no events after a Wake.
func (p *Poller) Wait() ([]unix.EpollEvent, error) {
	p.err = nil
	if err := p.raw.Read(p.wait); err != nil {
		return nil, err
	}
	return p.events[:p.n], p.err
}

// ready is asked by the netpoller before it parks the goroutine, and after.
// Nothing may park elsewhere: the runtime sees the epoll descriptor
// edge-triggered, and an edge that nobody looks at is lost.
func (p *Poller) ready(uintptr) bool {
	p.Budget.Reset()
	woken := false
	if p.n, woken, p.err = p.poll(); p.n > 0 || woken || p.err != nil {
		return true
	}
	if p.BeforePark == nil {
		return false
	}
	return !p.BeforePark()
}

// Poll returns what is ready now, without waiting.
func (p *Poller) Poll() ([]unix.EpollEvent, error) {
	var err error
	p.n, _, err = p.poll()
	return p.events[:p.n], err
}

func (p *Poller) poll() (n int, woken bool, err error) {
	n, err = p.Budget.epollPoll(p.epfd, p.events)
	if err != nil {
		if errors.Is(err, unix.EINTR) {
			err = nil
		}
		return 0, false, err
	}
	for i := 0; i < n; i++ {
		if Data(&p.events[i]) == wakeData {
			n--
			p.events[i] = p.events[n]
			return n, true, nil
		}
	}
	return n, false, nil
}

// Wake makes Wait return, from any goroutine.
func (p *Poller) Wake() { p.waker.Wake(nil) }

// Close ends a Wait that is under way with an error and frees the descriptors.
func (p *Poller) Close() error {
	err := p.file.Close()
	if p.own {
		err = errors.Join(err, p.waker.Close())
	}
	return err
}
