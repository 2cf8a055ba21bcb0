package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = time.Minute // for what must come at last

// quick is for tests: heartbeats that a machine with other work still keeps.
func quick() Timing {
	return Timing{
		Heartbeat: 500 * time.Millisecond, Election: 500 * time.Millisecond, Lease: 450 * time.Millisecond,
		Retry: 10 * time.Millisecond, Pilot: 20 * time.Millisecond, Stable: 50 * time.Millisecond,
	}
}

// steady is for tests of one leader, who stays on a machine that stands still for
// two seconds.
func steady(cfg *Config) {
	t := &cfg.Timing
	t.Heartbeat, t.Election, t.Lease, t.RPC = 3*time.Second, 3*time.Second, 2700*time.Millisecond, patience
}

// cluster is some members in this process.
type cluster struct {
	t      testing.TB
	dir    string
	pipes  *pipeNet // nil = TCP
	config func(*Config)

	addrs   map[string]string
	members map[string]*Store
	tapes   map[string]*tape
}

func newCluster3(t testing.TB, pipes *pipeNet, change ...func(*Config)) *cluster {
	return foundCluster(t, 3, pipes, change...)
}

// emptyCluster has no members yet.
func emptyCluster(t testing.TB, pipes *pipeNet, change ...func(*Config)) *cluster {
	c := &cluster{
		t: t, dir: t.TempDir(), pipes: pipes,
		addrs: map[string]string{}, members: map[string]*Store{}, tapes: map[string]*tape{},
		config: func(cfg *Config) {
			for _, f := range change {
				f(cfg)
			}
		},
	}
	t.Cleanup(c.closeAll)
	return c
}

// foundCluster starts n members k1, k2, … that found a cluster.
func foundCluster(t testing.TB, n int, pipes *pipeNet, change ...func(*Config)) *cluster {
	t.Helper()
	c := emptyCluster(t, pipes, change...)
	var ids, addrs []string
	for i := range n {
		id := fmt.Sprintf("k%d", i+1)
		ids, addrs = append(ids, id), append(addrs, c.address(id))
	}
	for _, id := range ids {
		c.start(id, func(cfg *Config) { cfg.Join, cfg.Expect = addrs, n })
	}
	c.ready(ids...)
	return c
}

// address returns the member's address, which stays.
func (c *cluster) address(id string) string {
	c.t.Helper()
	if c.addrs[id] == "" {
		c.addrs[id] = id + ":1"
		if c.pipes == nil {
			c.addrs[id] = freeAddress(c.t)
		}
	}
	return c.addrs[id]
}

// freeAddress returns an address that is kept from others until the test ends: a
// socket has its port and does not listen, which members may share.
func freeAddress(t testing.TB) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	a, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", a.(*unix.SockaddrInet4).Port)
}

func (c *cluster) configOf(id string, change ...func(*Config)) Config {
	c.tapes[id] = &tape{}
	cfg := Config{
		ID: id, Dir: filepath.Join(c.dir, id), Listen: c.address(id), Machine: c.tapes[id], Timing: quick(),
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("member", id)
	}
	if c.pipes != nil {
		cfg.Network = c.pipes.at(cfg.Listen)
	}
	c.config(&cfg)
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func (c *cluster) start(id string, change ...func(*Config)) *Store {
	c.t.Helper()
	s, err := Open(c.configOf(id, change...))
	if err != nil {
		c.t.Fatalf("open %s: %v", id, err)
	}
	c.members[id] = s
	return s
}

// join starts a member that asks the present ones.
func (c *cluster) join(id string) *Store {
	c.t.Helper()
	var addrs []string
	for m := range c.members {
		addrs = append(addrs, c.address(m))
	}
	s := c.start(id, func(cfg *Config) { cfg.Join = addrs })
	c.ready(id)
	return s
}

func (c *cluster) ready(ids ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, id := range ids {
		if err := c.members[id].Ready(ctx); err != nil {
			c.t.Fatalf("%s: %v", id, err)
		}
	}
}

// kill closes without handing over.
func (c *cluster) kill(id string) {
	c.t.Helper()
	if err := c.members[id].Close(); err != nil {
		c.t.Fatalf("close %s: %v", id, err)
	}
	delete(c.members, id)
}

func (c *cluster) closeAll() {
	for id, s := range c.members {
		if err := s.Close(); err != nil {
			c.t.Errorf("close %s: %v", id, err)
		}
	}
}

// leader waits until one of the members leads and can serve.
func (c *cluster) leader() *Store {
	c.t.Helper()
	var found *Store
	c.eventually("a leader", func() bool {
		for _, s := range c.members {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			err := s.Linearize(ctx)
			cancel()
			if err == nil {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

// write commits the command, wherever the leader is. One that lost its lead in
// the midst of it, on a machine that stood still, has done it or never will once
// another one leads.
func (c *cluster) write(cmd string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	times := func(l *Store) (n int) {
		for _, have := range c.tapes[l.cfg.ID].all() {
			if have == cmd {
				n++
			}
		}
		return n
	}
	for {
		l := c.leader()
		before := times(l)
		_, _, err := l.Apply(ctx, []byte(cmd))
		switch {
		case err == nil:
			return
		case errors.Is(err, ErrLeadershipLost):
			if times(c.leader()) > before {
				return
			}
		case !errors.As(err, &ErrNotLeader{}):
			c.t.Fatalf("apply %q: %v", cmd, err)
		}
	}
}

// agree waits until all members hold exactly these commands.
func (c *cluster) agree(want ...string) {
	c.t.Helper()
	for id := range c.members {
		c.eventually(fmt.Sprintf("%s holding %d commands", id, len(want)), func() bool {
			return slices.Equal(c.tapes[id].all(), want)
		})
	}
}

func (c *cluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	eventually(c.t, what, ok)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %s after %s", what, patience)
		}
	}
}
