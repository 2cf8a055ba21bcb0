package reactor

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (l *Loop) listen() error {
	for i, li := range l.Listeners {
		fd, err := li.open()
		if err != nil {
			return err
		}
		l.lists = append(l.lists, listening{fd: fd})
		l.unsent = 0
		if err := l.poller.Add(fd, unix.EPOLLIN|unix.EPOLLET, kindListener<<kindShift|uint64(i)); err != nil {
			return err
		}
	}
	l.limitUnsent()
	return nil
}

// limitUnsent sets what accepted sockets inherit from their listener, when the
// knob has changed.
func (l *Loop) limitUnsent() {
	n := l.Knobs.UnsentMax.Get()
	if n == l.unsent {
		return
	}
	l.unsent = n
	for _, li := range l.lists {
		// Without it the kernel keeps more; nothing else changes.
		_ = unix.SetsockoptInt(li.fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, int(n))
	}
}

func (l *Loop) unlisten() {
	for _, li := range l.lists {
		unix.Close(li.fd)
	}
	l.lists = nil
}

// Refuse ends listening for good; connections that the kernel has already
// accepted are taken first, but for those of an inherited listener, which wait
// for the next process. Call it on the loop.
func (l *Loop) Refuse() {
	l.refuse = true
	for i := range l.lists {
		l.lists[i].pending = l.Listeners[i].Inherited == 0
	}
	for rounds := 0; l.acceptable() && rounds < 1024; rounds++ {
		l.acceptPending()
	}
	l.unlisten()
}

// reopen joins the listening group again when there is room for connections.
func (l *Loop) reopen() {
	if !l.full || l.refuse || l.open > l.ConnsMax*95/100 {
		return
	}
	if err := l.listen(); err != nil {
		l.AcceptErrors++
		l.unlisten() // tried again at the next tick
		return
	}
	l.full = false
}

// acceptable tells whether accepting would get somewhere now.
func (l *Loop) acceptable() bool {
	if !l.allowed() {
		return false
	}
	for i := range l.lists {
		if l.lists[i].pending {
			return true
		}
	}
	return false
}

// allowed refills the accept-rate bucket. It holds what one tick brings: an
// idle loop does not look more often. What Refuse takes is not held back.
func (l *Loop) allowed() bool {
	rate := float64(l.Knobs.AcceptRate.Get()) / float64(max(1, l.Loops))
	if rate == 0 || l.refuse {
		return true
	}
	l.tickets = min(1+rate*l.TickEvery().Seconds(), l.tickets+rate*float64(l.now-l.refill)/1e9)
	l.refill = l.now
	return l.tickets >= 1
}

func (l *Loop) acceptPending() {
	for i := range l.lists {
		for n := 0; l.lists[i].pending && n < acceptsPerTurn && l.allowed(); n++ {
			l.accept(i)
			if l.full {
				return
			}
		}
	}
}

func (l *Loop) accept(i int) {
	var sa unix.RawSockaddrAny
	fd, err := l.Budget().Accept4(l.lists[i].fd, &sa, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch err {
	case nil:
	case unix.EAGAIN:
		l.lists[i].pending = false
		return
	case unix.ECONNABORTED, unix.EINTR, unix.EPROTO:
		return
	default: // EMFILE, ENFILE, ENOBUFS, ENOMEM
		l.AcceptErrors++
		l.lists[i].pending = false
		l.retry = true
		return
	}
	if l.Knobs.AcceptRate.Get() > 0 {
		l.tickets--
	}
	l.open++
	data, ok := l.handler.Open(fd, peerOf(&sa), l.Listeners[i])
	if ok {
		if err := l.watch(fd, data); err != nil {
			l.AcceptErrors++
			l.handler.Ready(data, unix.EPOLLERR)
		}
	}
	if l.ConnsMax > 0 && l.open >= l.ConnsMax {
		l.full = true
		l.unlisten()
	}
}

func peerOf(sa *unix.RawSockaddrAny) netip.AddrPort {
	p := (*[28]byte)(unsafe.Pointer(sa))
	port := binary.BigEndian.Uint16(p[2:])
	switch sa.Addr.Family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[4:8])), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(p[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}
