// Package bench puts load on a node and measures what it does: many clients
// (internal/swarm), an open-loop publisher, a bare server to compare with, and
// reports as text, JSON, HTML and PNG. Room of ARCHITECTURE.md: may import
// internal/*.
//
// Latency is counted from the time a message was meant to be sent, which is
// stamped into its payload and never moved, so a node or generator that stalls
// cannot hide it (no coordinated omission). A run judges itself: it is invalid
// when the generator was late or missed its rate.
package bench

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/pushdapi"
)

// Out is where a run writes.
type Out struct {
	Progress io.Writer // lines for people while it runs
	Now      func() time.Time
}

func (o *Out) linef(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintln(o.Progress, wrap(fmt.Sprintf(format, args...)))
	}
}

// Target is the node under load.
type Target struct {
	Clients netip.AddrPort   // client listener
	Node    *pushdapi.Client // server and admin API
	PID     int              // of the node, 0 if not known
}

// NewTarget checks that both addresses are of this machine and finds the
// node's process. A load generator pointed elsewhere by a slip is an attack.
// clients may be empty for a run without any.
func NewTarget(clients string, node *pushdapi.Client) (*Target, error) {
	if clients == "" {
		clients = "127.0.0.1:0"
	}
	addr, err := netip.ParseAddrPort(strings.Replace(clients, "localhost", "127.0.0.1", 1))
	if err != nil {
		return nil, fmt.Errorf("client listener %q: want an address and port such as 127.0.0.1:7400 (--addr)", clients)
	}
	if !addr.Addr().IsLoopback() {
		return nil, fmt.Errorf("%v is not this machine: bench sends load over loopback only; run it where the node runs", addr)
	}
	if !addr.Addr().Is4() {
		return nil, fmt.Errorf("%v: bench needs an IPv4 address for its many source addresses; use 127.0.0.1 (--addr)", addr)
	}
	network, dial, _ := pushdapi.Target(node.Addr())
	if network == "tcp" {
		host, _, _ := net.SplitHostPort(dial)
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("node %s is not this machine: bench sends load over loopback only; run it where the node runs", node.Addr())
		}
	}
	return &Target{Clients: addr, Node: node, PID: findPID(network, dial)}, nil
}

// findPID asks a unix socket who serves it, and looks for the owner of a
// listening TCP port; 0 if it cannot tell.
func findPID(network, addr string) int {
	if network == "tcp" {
		return listenerPID(addr)
	}
	c, err := net.DialTimeout("unix", addr, time.Second)
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// ErrInvalid is wrapped when a run proves nothing about the node.
var ErrInvalid = errors.New("run is not valid")

// ErrLost is wrapped when messages were lost, doubled or reordered.
var ErrLost = errors.New("messages went wrong")

// writeFile writes a report beside others, whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	tmp := path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
