package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// netns is where ip looks for namespaces by name.
const netns = "/run/netns"

// nowhere is a hardware address that no host has.
const nowhere = "02:de:ad:00:00:00"

// lan is a switch with hosts, each in a network namespace; the test itself is
// the host .1. It ends with the test.
type lan struct {
	t     testing.TB
	name  string
	hosts map[string]int // last byte of the address
}

// newLAN makes a switch; a test needs no more than one.
func newLAN(t testing.TB) *lan {
	t.Helper()
	l := &lan{t: t, name: "lan0", hosts: map[string]int{}}
	l.ip("link", "add", l.name, "type", "bridge")
	t.Cleanup(func() { l.ip("link", "del", l.name) })
	l.ip("addr", "add", "10.77.0.1/24", "dev", l.name)
	l.ip("link", "set", l.name, "up")
	return l
}

// ipDo runs ip.
func ipDo(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (l *lan) ip(args ...string) {
	l.t.Helper()
	if err := ipDo(args...); err != nil {
		l.t.Fatal(err)
	}
}

// host adds a host and returns its address. Names are short: an interface's
// has 15 bytes at most.
func (l *lan) host(name string) string {
	l.t.Helper()
	l.hosts[name] = 10 + len(l.hosts)
	l.ip("netns", "add", name)
	l.t.Cleanup(func() { l.ip("netns", "del", name) })
	l.ip("link", "add", "v-"+name, "type", "veth", "peer", "name", "eth0", "netns", name)
	l.t.Cleanup(func() { l.ip("link", "del", "v-"+name) }) // with its namespace it would go some time later
	l.ip("link", "set", "v-"+name, "master", l.name, "up")
	l.ip("-n", name, "link", "set", "lo", "up")
	l.ip("-n", name, "addr", "add", l.addr(name)+"/24", "dev", "eth0")
	l.ip("-n", name, "link", "set", "eth0", "up")
	return l.addr(name)
}

func (l *lan) addr(name string) string { return fmt.Sprintf("10.77.0.%d", l.hosts[name]) }

// cut loses all packets that one host sends to another, silently and only in
// this direction.
func (l *lan) cut(from, to string) {
	l.t.Helper()
	l.ip("-n", from, "neigh", "replace", l.addr(to), "lladdr", nowhere, "dev", "eth0", "nud", "permanent")
}

// join undoes cut.
func (l *lan) join(from, to string) {
	l.t.Helper()
	l.ip("-n", from, "neigh", "del", l.addr(to), "dev", "eth0")
}

// unplug takes a host off the switch; plug undoes it.
func (l *lan) unplug(name string) { l.t.Helper(); l.ip("link", "set", "v-"+name, "nomaster") }

func (l *lan) plug(name string) { l.t.Helper(); l.ip("link", "set", "v-"+name, "master", l.name) }
