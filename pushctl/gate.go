package main

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"pushfleet/internal/pushdapi"
)

// gateDefault is where clients connect to a node that is left as it is.
const gateDefault = "127.0.0.1:7400"

// gateOf is where clients of a node connect, as the node says; gateDefault when
// it does not answer, or does not say.
func gateOf(ctx context.Context, node *pushdapi.Client) string {
	s, err := node.Stats(ctx)
	if err != nil {
		return gateDefault
	}
	for _, text := range s.Clients {
		a, err := netip.ParseAddrPort(text)
		switch {
		case err != nil:
		case a.Addr().IsUnspecified(): // all interfaces: the one that we came by
			return net.JoinHostPort(hostOf(node.Addr()), strconv.Itoa(int(a.Port())))
		default:
			return a.String()
		}
	}
	return gateDefault
}

// hostOf is the host of a node's address, this one for a socket.
func hostOf(addr string) string {
	if network, target, _ := pushdapi.Target(addr); network == "tcp" {
		if host, _, err := net.SplitHostPort(target); err == nil {
			return host
		}
	}
	return "127.0.0.1"
}
