package reactor

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Listener is one client address that every loop listens on with a socket of
// its own (SO_REUSEPORT), so that the kernel spreads the connections.
type Listener struct {
	Addr  netip.AddrPort
	Proxy bool // connections begin with a PROXY protocol header
	Share bool // other processes of the same user may listen on the address too
	// Inherited is the descriptor of a socket that listens already, made by
	// whoever started the process; 0 = none. All loops accept from it, and Addr
	// is what Resolve finds out.
	Inherited int
}

const backlog = 4096

// open makes a listening socket in the calling thread's descriptor table.
func (l *Listener) open() (int, error) {
	if l.Inherited > 0 {
		fd, err := unix.FcntlInt(uintptr(l.Inherited), unix.F_DUPFD_CLOEXEC, 0)
		return fd, os.NewSyscallError("dup of the inherited listener", err)
	}
	fd, err := l.bind(true)
	if err != nil {
		return -1, err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen on %s: %w", l.Addr, err)
	}
	return fd, nil
}

// inherited lists the descriptors that open duplicates.
func (l *Loop) inherited() (fds []int) {
	for _, li := range l.Listeners {
		if li.Inherited > 0 {
			fds = append(fds, li.Inherited)
		}
	}
	return fds
}

// bind makes a socket with the address, shared with others that share it too,
// or alone: then it fails if anybody listens there.
func (l *Listener) bind(share bool) (int, error) {
	family := unix.AF_INET
	if l.Addr.Addr().Is6() && !l.Addr.Addr().Is4In6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && share {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err == nil {
		// Inherited by accepted sockets: one call here instead of one per connection.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(l.Addr))
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind to %s: %w", l.Addr, err)
	}
	return fd, nil
}

// Resolve turns port 0 into a free port that all loops then share, by binding
// it (never listening, so that no connection lands there). It also tells early
// that an address is taken: by another node, too, with which the kernel would
// let this one share the connections if both run as one user. The returned
// function gives the port up again; call it when the loops listen.
func (l *Listener) Resolve() (func(), error) {
	if l.Inherited > 0 {
		return func() {}, l.adopt()
	}
	if l.Addr.Port() != 0 && !l.Share {
		alone, err := l.bind(false)
		if err != nil {
			return nil, err
		}
		unix.Close(alone)
	}
	fd, err := l.bind(true)
	if err != nil {
		return nil, err
	}
	if l.Addr.Port() == 0 {
		sa, err := unix.Getsockname(fd)
		if err != nil {
			unix.Close(fd)
			return nil, os.NewSyscallError("getsockname", err)
		}
		l.Addr = addrPort(sa)
	}
	return func() { unix.Close(fd) }, nil
}

// adopt prepares an inherited socket as bind does its own, and learns where it
// listens.
func (l *Listener) adopt() error {
	listens, err := unix.GetsockoptInt(l.Inherited, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return fmt.Errorf("inherited descriptor %d does not listen: pass stream sockets only (ListenStream= and Accept=no in the unit)", l.Inherited)
	}
	sa, err := unix.Getsockname(l.Inherited)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	if l.Addr = addrPort(sa); !l.Addr.IsValid() {
		return fmt.Errorf("inherited descriptor %d is no TCP socket: write ListenStream=IP:PORT in the unit", l.Inherited)
	}
	if err := unix.SetsockoptInt(l.Inherited, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(l.Inherited, true))
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port))
	}
	return netip.AddrPort{}
}
