package node

import (
	"fmt"
	"slices"

	"pushfleet/internal/daemon"
	"pushfleet/pushd/reactor"
)

// inheritedProxy is the FileDescriptorName= of sockets whose connections begin
// with a PROXY header; all others are for clients.
const inheritedProxy = "proxy"

// Inherit makes the node accept clients from sockets that systemd holds. They
// stand for the configured addresses of their kind: listen, or listen_proxy
// for those named proxy. Call it before Start.
func (n *Node) Inherit(sockets []daemon.Inherited) {
	for _, s := range sockets {
		proxy := s.Name == inheritedProxy
		n.listen = slices.DeleteFunc(n.listen, func(l *reactor.Listener) bool { return l.Proxy == proxy && l.Inherited == 0 })
		n.listen = append(n.listen, &reactor.Listener{Proxy: proxy, Inherited: s.FD})
	}
}

// resolve takes the client addresses; the returned function gives up what the
// loops do not need once they listen.
func (n *Node) resolve() (release func(), err error) {
	var all []func()
	release = func() {
		for _, f := range all {
			f()
		}
	}
	for _, l := range n.listen {
		l.Share = n.cfg.SharePort
		f, err := l.Resolve()
		if err == nil {
			all = append(all, f)
		}
		if err = n.explain(l, err); err == nil {
			err = n.claim(l)
		}
		if err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// explain says what to do about an address, also about one that was not in the
// configuration when that was checked.
func (n *Node) explain(l *reactor.Listener, err error) error {
	switch {
	case err == nil && l.Inherited > 0:
		return n.cfg.CheckClients(l.Addr)
	case err == nil || l.Inherited > 0:
		return err
	case n.cfg.SharePort:
		return fmt.Errorf("%w; --share-port shares with pushd of the same user that has it too: is another program there? choose another address with --listen", err)
	}
	return fmt.Errorf("%w; is another pushd running? choose another address with --listen, or give all of them --share-port", err)
}
