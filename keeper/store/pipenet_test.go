package store

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// pipeNet is a network in memory whose members can be cut off.
type pipeNet struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
	cut       map[string]bool
	pipes     map[net.Conn][2]string
}

func newPipeNet() *pipeNet {
	return &pipeNet{listeners: map[string]*pipeListener{}, cut: map[string]bool{}, pipes: map[net.Conn][2]string{}}
}

// at is the network as seen by the member at the address.
func (n *pipeNet) at(address string) Network { return pipeHost{n, address} }

// split cuts the addresses off from all others, or joins them again. They do
// not reach one another either.
func (n *pipeNet) split(off bool, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addresses {
		n.cut[a] = off
	}
	for c, ends := range n.pipes {
		if n.cut[ends[0]] || n.cut[ends[1]] {
			c.Close()
			delete(n.pipes, c)
		}
	}
}

type pipeHost struct {
	net  *pipeNet
	self string
}

func (h pipeHost) Listen(a string) (net.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.listeners[a] != nil {
		return nil, fmt.Errorf("%s is in use", a)
	}
	l := &pipeListener{h.net, a, make(chan net.Conn), make(chan struct{}), sync.Once{}}
	h.net.listeners[a] = l
	return l, nil
}

func (h pipeHost) DialContext(ctx context.Context, a string) (net.Conn, error) {
	h.net.mu.Lock()
	l, cut := h.net.listeners[a], h.net.cut[a] || h.net.cut[h.self]
	if l == nil || cut {
		h.net.mu.Unlock()
		return nil, fmt.Errorf("dial %s: refused", a)
	}
	ours, theirs := net.Pipe()
	h.net.pipes[ours] = [2]string{h.self, a}
	h.net.mu.Unlock()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
	case <-ctx.Done():
	}
	ours.Close()
	return nil, fmt.Errorf("dial %s: refused", a)
}

type pipeListener struct {
	net   *pipeNet
	name  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.name)
	})
	return nil
}

func (l *pipeListener) Addr() net.Addr { return address(l.name) }
