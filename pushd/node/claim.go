package node

import (
	"fmt"
	"net"
	"net/netip"

	"pushfleet/pushd/reactor"
)

// The loops of a node share its client addresses by SO_REUSEPORT, so the
// kernel lets another process of the same user in whether the first wants it or
// not, and half of the users would be gone without a word. A node that does not
// share says so by a name beside the port, an abstract socket, which lives in
// the same network namespace and ends with the process.
func claimName(a netip.AddrPort) string { return "@pushd " + a.String() }

// claim takes an address for this node alone, or makes sure that nobody has.
// Sockets made elsewhere are shared by no other means than being passed on.
func (n *Node) claim(l *reactor.Listener) error {
	switch {
	case l.Inherited > 0:
		return nil
	case !l.Share:
		// Whoever has the name already has not got the port: that is ours.
		if c, err := net.Listen("unix", claimName(l.Addr)); err == nil {
			n.claims = append(n.claims, c)
		}
		return nil
	}
	for _, ip := range []netip.Addr{l.Addr.Addr(), netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		a := netip.AddrPortFrom(ip, l.Addr.Port())
		if c, err := net.Dial("unix", claimName(a)); err == nil {
			c.Close()
			return fmt.Errorf("%s is held by a pushd that does not share it: give that one --share-port too, or choose another address with --listen", a)
		}
	}
	return nil
}

func (n *Node) unclaim() {
	for _, c := range n.claims {
		c.Close()
	}
	n.claims = nil
}
