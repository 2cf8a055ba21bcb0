package store

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/tlsfile/tlstest"
)

// echo answers what it reads, with the member's name before it, until the
// listener ends.
func echo(id string, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { // ends with the stream, at the latest with the store
			defer c.Close()
			b := make([]byte, 5)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				if _, err := c.Write(append([]byte(id+" "), b...)); err != nil {
					return
				}
			}
		}()
	}
}

func say(t *testing.T, c net.Conn) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len("k1 hello"))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// follower returns one that knows the leader.
func (c *cluster) follower() (leader, follower *Store) {
	c.t.Helper()
	leader = c.leader()
	for _, m := range c.members {
		if m != leader {
			follower = m
		}
	}
	c.eventually("follower knowing the leader", func() bool {
		l, _ := follower.Leadership()
		return l.ID == leader.cfg.ID
	})
	return leader, follower
}

func TestStreams(t *testing.T) {
	t.Parallel()
	f := func(n int, pipes *pipeNet, change ...func(*Config)) {
		t.Helper()
		c := newCluster3(t, pipes, append(change, steady)...)
		for id, m := range c.members {
			go echo(id, m.Streams())
		}
		leader, follower := c.follower()
		if _, err := leader.DialLeader(t.Context()); err == nil {
			t.Error("the leader dialled itself")
		}
		var open []net.Conn
		for range n {
			s, err := follower.DialLeader(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, s)
			if len(open) > 1 && len(open) < n {
				continue
			}
			if got, want := say(t, s), leader.cfg.ID+" hello"; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		c.write("a") // raft goes on beside them
		c.agree("a")
		open[1].Close()
		leader.Streams().Close()
		if _, err := follower.DialLeader(t.Context()); err == nil {
			t.Error("a closed listener took a stream")
		}
		say(t, open[0]) // those that are open stay
		c.kill(leader.cfg.ID)
		open[0].SetDeadline(time.Now().Add(patience))
		if _, err := open[0].Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Errorf("after the end of the leader: %v", err)
		}
		for _, s := range open {
			s.Close()
		}
		if n := apiOpen(follower); n != 0 {
			t.Errorf("%d streams count as open, all are closed", n)
		}
	}
	ca := tlstest.New(t)
	f(streamsMax+8, newPipeNet()) // more than raft's share
	f(8, nil)
	f(8, nil, func(cfg *Config) { cfg.TLS = issue(ca, t.TempDir(), tlsName) })
}

func apiOpen(s *Store) int {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return s.link.apiOpen
}

// TestStreamsAreBounded on both sides, without harm to raft.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	leader, follower := c.follower()
	go echo(leader.cfg.ID, leader.Streams())
	fill := func(s *Store, by int) {
		s.link.mu.Lock()
		defer s.link.mu.Unlock()
		s.link.apiOpen += by
	}
	f := func(s *Store, part string) {
		t.Helper()
		fill(s, apiStreamsMax)
		defer fill(s, -apiStreamsMax)
		if _, err := follower.DialLeader(t.Context()); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
		c.write("x")
	}
	f(follower, errAPIStreams.Error())
	f(leader, "does not take the stream")
	s, err := follower.DialLeader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestStreamsOfStrangers: another cluster's members are refused, and nobody is
// dialled without a leader or after the end.
func TestStreamsOfStrangers(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	leader, follower := c.follower()
	go echo(leader.cfg.ID, leader.Streams())
	s, err := follower.DialLeader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()

	own := follower.ident.cluster()
	if err := follower.ident.change(func(d *identityData) { d.Cluster = "another" }); err != nil {
		t.Fatal(err)
	}
	if _, err := follower.DialLeader(t.Context()); err == nil {
		t.Error("a stream of another cluster was taken")
	}
	if err := follower.ident.change(func(d *identityData) { d.Cluster = own }); err != nil {
		t.Fatal(err)
	}

	alone := emptyCluster(t, newPipeNet()).start("k9", func(cfg *Config) { cfg.Join = []string{"nobody:1"} })
	if _, err := alone.DialLeader(t.Context()); !errors.As(err, &ErrNotLeader{}) {
		t.Errorf("without a leader: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := follower.DialLeader(ended); err == nil {
		t.Error("dialled with an ended context")
	}
	c.kill(follower.cfg.ID)
	if _, err := follower.DialLeader(t.Context()); !errors.Is(err, ErrShutdown) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := follower.Streams().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after the end: %v", err)
	}
}
