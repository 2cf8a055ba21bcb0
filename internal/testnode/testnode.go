// Package testnode starts whole nodes in a test's own process, on loopback
// with ports of the kernel's choice.
package testnode

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/config"
	"pushfleet/pushd/node"
)

// patience bounds every wait for something that must happen. It is far above
// what any of them takes, because machines are busy.
const patience = time.Minute

// Node is a running node and a client for its API.
type Node struct {
	*node.Node
	API   *pushdapi.Client
	t     testing.TB
	state string
}

// Config is the configuration that a test may edit.
type Config = config.Config

// Embedded is an edit: the node has a keeper of its own, see Node.Keeper.
func Embedded(c *Config) {
	c.Keeper.Addresses = nil
	c.Keeper.API, c.Keeper.Raft = "127.0.0.1:0", "127.0.0.1:0"
}

// Keeper asks the keeper inside an Embedded node.
func (n *Node) Keeper() *keeperapi.Client {
	c := keeperapi.NewClient([]string{n.KeeperSocket()}, keeperapi.ClientOptions{Timeout: patience, Who: "test"})
	n.t.Cleanup(c.Close)
	return c
}

// Start runs a node until the test ends. edit, if not nil, changes its
// configuration first.
func Start(t testing.TB, edit func(*Config)) *Node {
	t.Helper()
	var state string
	n, err := start(t, func(c *Config) {
		if edit != nil {
			edit(c)
		}
		state = c.StateDir
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &Node{Node: n, t: t, state: state, API: pushdapi.New(n.PrivateAddr(), pushdapi.Options{Timeout: patience})}
	t.Cleanup(s.API.Close)
	t.Cleanup(s.Stop)
	return s
}

// Try starts a node that is expected not to start, and returns why.
func Try(t testing.TB, edit func(*Config)) error {
	t.Helper()
	n, err := start(t, edit)
	if err == nil {
		err = n.Stop(t.Context())
		t.Errorf("the node started; stop: %v", err)
		return nil
	}
	return err
}

func start(t testing.TB, edit func(*Config)) (*node.Node, error) {
	t.Helper()
	cfg := config.Default(func(string) string { return "" })
	cfg.Listen = []string{"127.0.0.1:0"}
	cfg.Private = "127.0.0.1:0"
	cfg.Auth = config.AuthNone
	cfg.NodeName = "test"
	cfg.Loops = 2
	// Loops may be slow, and tests count what became of each message.
	cfg.Knobs = map[string]string{"drain.window": "0s", "publish.wait": "30s", "publish.inbox_wait": "30s"}
	// A socket's path has 107 bytes at most; the test's own folder may be longer.
	dir, err := os.MkdirTemp("", "pushd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg.Keeper.Addresses = []string{config.KeeperOff}
	cfg.AdminSocket = filepath.Join(dir, "admin.sock")
	cfg.StateDir = dir
	if edit != nil {
		edit(&cfg)
	}
	n, err := node.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return n, n.Start(t.Context())
}

// Stop ends the node; it is called at the test's end anyway.
func (n *Node) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Node.Stop(ctx); err != nil {
		n.t.Errorf("stop: %v", err)
	}
}

// StateDir is where the node keeps what outlives it.
func (n *Node) StateDir() string { return n.state }

// Client is the address that clients connect to.
func (n *Node) Client() string { return n.ClientAddrs()[0] }

// Stats asks the node for its figures, until all loops have told theirs.
func (n *Node) Stats() (s *pushdapi.Stats) {
	n.t.Helper()
	n.Eventually("all loops tell their figures", func(got *pushdapi.Stats) bool {
		s = got
		return true
	})
	return s
}

// Eventually waits until the node's figures, of all loops, fulfil a condition.
func (n *Node) Eventually(what string, f func(*pushdapi.Stats) bool) {
	n.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := n.API.Stats(context.Background())
		if err != nil {
			n.t.Fatal(err)
		}
		if len(s.SilentLoop) == 0 && f(s) {
			return
		}
		select {
		case <-deadline.C:
			n.t.Fatalf("did not happen: %s; last figures %+v", what, *s)
		case <-tick.C:
		}
	}
}
