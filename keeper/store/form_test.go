package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMayFound(t *testing.T) {
	list := []string{"a:1", "b:1", "c:1"}
	at := func(id, addr string, founders ...string) reply {
		return reply{ID: id, Address: addr, Founders: founders}
	}
	f := func(expect int, want string, answers ...reply) {
		t.Helper()
		err := mayFound(list, expect, answers)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	a, b, c := at("k1", "a:1", list...), at("k2", "b:1", list...), at("k3", "c:1", list...)
	f(3, "", a, b, c)
	f(3, "2 of 3", a, b)
	f(2, "expecting 2", a, b, c)
	f(5, "expecting 5", a, b, c)
	f(3, "own id", a, b, at("k1", "c:1", list...))
	f(3, "same list", a, b, at("k3", "c:1", "c:1", "d:1"))
	f(3, "same list", a, b, at("k3", "c:1"))
	f(3, "calls itself", a, at("k2", "other:1", list...), c)
}

// TestFoundingRaces starts founders in every order, some of them twice, and
// looks for a second cluster.
func TestFoundingRaces(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		c := emptyCluster(t, newPipeNet(), func(cfg *Config) { cfg.LogKind = Memory })
		ids := []string{"k1", "k2", "k3"}
		list := []string{c.address("k1"), c.address("k2"), c.address("k3")}
		var configs []Config
		for i := range ids {
			configs = append(configs, c.configOf(ids[(i+round)%3], func(cfg *Config) { cfg.Join, cfg.Expect = list, 3 }))
		}
		var mu sync.Mutex
		var starts sync.WaitGroup
		for i, cfg := range configs {
			starts.Go(func() {
				s, err := Open(cfg)
				if err == nil && (round+i)%4 == 0 && s.Close() == nil {
					s, err = Open(cfg) // a crash in the midst of it, and its disk lost
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				c.members[cfg.ID] = s
				mu.Unlock()
			})
		}
		starts.Wait()
		c.ready(ids...)
		one := c.members["k1"].ident.cluster()
		for id, m := range c.members {
			if got := m.ident.cluster(); got != one || got == "" {
				t.Fatalf("round %d: %s is in cluster %q, k1 in %q", round, id, got, one)
			}
		}
		c.write("x")
		c.agree("x")
		c.closeAll()
	}
}

// TestHalvesDoNotFound: without one of the founders nothing is founded, on
// either side.
func TestHalvesDoNotFound(t *testing.T) {
	t.Parallel()
	pipes := newPipeNet()
	c := emptyCluster(t, pipes)
	list := []string{c.address("k1"), c.address("k2"), c.address("k3")}
	found := func(cfg *Config) { cfg.Join, cfg.Expect = list, 3 }
	pipes.split(true, list[2])
	for _, id := range []string{"k1", "k2", "k3"} {
		c.start(id, found)
	}
	for range 20 { // rounds of asking, by hand
		for id, m := range c.members {
			if err := m.formStep(t.Context()); err == nil || m.hasState() {
				t.Fatalf("%s founded alone", id)
			}
		}
	}
	pipes.split(false, list[2])
	c.ready("k1", "k2", "k3")
}

// TestFounderLostItsDisk: it must come back into the old cluster, without its
// vote at first, and not found a new one.
func TestFounderLostItsDisk(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet(), func(cfg *Config) { cfg.Timing.Stable = time.Hour })
	c.write("a")
	old := c.leader().ident.cluster()
	list := []string{c.address("k1"), c.address("k2"), c.address("k3")}
	c.kill("k1")
	if err := os.RemoveAll(filepath.Join(c.dir, "k1")); err != nil {
		t.Fatal(err)
	}
	c.write("b")
	s := c.start("k1", func(cfg *Config) { cfg.Join, cfg.Expect = list, 3 })
	c.ready("k1")
	c.agree("a", "b")
	if got := s.ident.cluster(); got != old {
		t.Errorf("it is in cluster %s, not %s", got, old)
	}
	if m, ok := c.leader().member("k1"); !ok || m.Voter {
		t.Errorf("it forgot for whom it voted, and is now %+v", m)
	}
}

func TestOtherClusterRefused(t *testing.T) {
	t.Parallel()
	pipes := newPipeNet()
	c := newCluster3(t, pipes)
	d := foundCluster(t, 1, newPipeNet())
	d.write("other")
	d.kill("k1")
	// The member of d now asks c.
	cfg := d.configOf("k1", func(cfg *Config) {
		cfg.Listen, cfg.Network, cfg.Join = "stranger:1", pipes.at("stranger:1"), []string{c.address("k1"), c.address("k2"), c.address("k3")}
	})
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.eventually("refusal", func() bool { // not while nobody leads
		err := s.join(t.Context())
		if err == nil || strings.Contains(err.Error(), "let in") {
			t.Fatal("it was let in")
		}
		return strings.Contains(err.Error(), "another cluster") || strings.Contains(err.Error(), "already")
	})
	if n := len(c.leader().Members()); n != 3 {
		t.Errorf("%d members", n)
	}
}

func TestNobodyToJoin(t *testing.T) {
	t.Parallel()
	c := emptyCluster(t, newPipeNet())
	s := c.start("k1")
	if err := s.formStep(t.Context()); err == nil {
		t.Error("formed out of nothing")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ready: %v", err)
	}
	if _, _, err := s.Apply(t.Context(), []byte("x")); err != (ErrNotLeader{}) {
		t.Errorf("apply: %v", err)
	}
}
