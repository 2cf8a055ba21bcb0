package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	start := time.Unix(1000, 0)
	type member struct {
		id    string
		voter bool
		ok    time.Duration // OK for so long; < 0: does not answer
		lag   uint64
	}
	f := func(votersMax int, want string, members ...member) {
		t.Helper()
		l := look{now: start, self: "a", lastIndex: 1000, stable: 5 * time.Second, votersMax: votersMax}
		before := map[string]Health{}
		for _, m := range members {
			s := seen{id: m.id, voter: m.voter}
			if m.ok >= 0 {
				before[m.id] = Health{Known: true, OK: true, Since: start.Add(-m.ok)}
				s.answer = &reply{ID: m.id, LeaderID: "a", LastIndex: 1000 - m.lag}
			}
			l.members = append(l.members, s)
		}
		if _, got := next(before, l); got != want {
			t.Errorf("promoted %q, want %q", got, want)
		}
	}
	const long = time.Minute
	leader := member{"a", true, long, 0}
	f(5, "b", leader, member{"b", false, 5 * time.Second, 0})
	f(5, "b", leader, member{"b", false, long, lagMax})
	f(5, "", leader, member{"b", false, long, lagMax + 1})
	f(5, "", leader, member{"b", false, 4 * time.Second, 0})
	f(5, "", leader, member{"b", false, -1, 0})
	f(5, "b", leader, member{"c", false, long, 0}, member{"b", false, long, 0})
	f(1, "", leader, member{"b", false, long, 0})
	// One of three voters is gone: the fourth helps. Two gone: it cannot.
	f(5, "d", leader, member{"b", true, long, 0}, member{"c", true, -1, 0}, member{"d", false, long, 0})
	f(5, "", leader, member{"b", true, -1, 0}, member{"c", true, -1, 0}, member{"d", false, long, 0})
	f(5, "b", leader, member{"b", false, long, 0})
}

func TestNextRemembers(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	l := look{self: "a", lastIndex: 10, stable: 2 * time.Second, votersMax: 5}
	var known map[string]Health
	f := func(s int, answer *reply, wantOK bool, wantSince int, want string) {
		t.Helper()
		l.now = at(s)
		l.members = []seen{{"a", true, nil}, {"b", false, answer}}
		var got string
		known, got = next(known, l)
		if h := known["b"]; h.OK != wantOK || !h.Since.Equal(at(wantSince)) || got != want {
			t.Errorf("at %d: %+v, promoted %q", s, h, got)
		}
	}
	good := &reply{ID: "b", LeaderID: "a", LastIndex: 10}
	f(1, nil, false, 1, "")
	f(2, good, true, 2, "")
	f(3, good, true, 2, "")
	f(4, &reply{ID: "b", LeaderID: "c", LastIndex: 10}, false, 4, "")
	f(5, good, true, 5, "")
	f(6, good, true, 5, "")
	f(7, good, true, 5, "b")
	l.members = nil
	if known, _ = next(known, l); len(known) != 0 {
		t.Error("a member that left is remembered")
	}
}

func TestJoinIsPromoted(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet())
	c.write("a")
	for i, id := range []string{"k2", "k3"} {
		s := c.join(id)
		if m, ok := s.member(id); !ok {
			t.Fatalf("%s is not a member: %+v", id, m)
		}
		c.eventually(id+" with a vote", func() bool { m, _ := c.leader().member(id); return m.Voter })
		c.write(fmt.Sprint("b", i))
	}
	c.agree("a", "b0", "b1")
	c.kill(c.leader().cfg.ID)
	c.write("c") // the joined ones are a majority now
	c.agree("a", "b0", "b1", "c")
}

func TestNonvoterWaits(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet(), func(cfg *Config) { cfg.Timing.Stable = time.Hour })
	s := c.join("k2")
	c.write("a")
	c.agree("a")
	c.eventually("health of k2", func() bool {
		for _, m := range c.leader().Members() {
			if m.ID == "k2" {
				return m.Health.OK && !m.Voter
			}
		}
		return false
	})
	if s.State() == Leader || s.otherVoters() != 1 {
		t.Error("it counts without a vote")
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	l := c.leader()
	if err := l.Remove(t.Context(), "nobody"); err == nil {
		t.Error("removed nobody")
	}
	// The leader hands over; its successor removes it.
	gone := l.cfg.ID
	if err := l.Remove(t.Context(), gone); !errors.As(err, &ErrNotLeader{}) {
		t.Fatalf("the leader removed itself: %v", err)
	}
	c.eventually("removal", func() bool { return c.leader().Remove(t.Context(), gone) == nil })
	if n := len(c.leader().Members()); n != 2 {
		t.Fatalf("%d members", n)
	}
	c.write("a")
	// It does not come back by itself.
	addr := c.leader().Addr()
	c.kill(gone)
	s := c.start(gone, func(cfg *Config) { cfg.Join = []string{addr} })
	c.eventually("knowledge of the removal", func() bool {
		return errors.Is(s.formStep(t.Context()), errRemoved) || slices.ContainsFunc(s.Members(), func(m Member) bool { return m.ID == gone })
	})
	c.write("b")
	if n := len(c.leader().Members()); n != 2 {
		t.Errorf("%d members after it came back", n)
	}
}

func TestLastVoterStays(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet())
	if err := c.leader().Remove(t.Context(), "k1"); err == nil {
		t.Error("the last voter was removed")
	}
}

func TestAddressChanges(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	c.write("a")
	follower := "k1"
	if c.leader().cfg.ID == follower {
		follower = "k2"
	}
	var others []string
	for id := range c.members {
		if id != follower {
			others = append(others, c.address(id))
		}
	}
	c.kill(follower)
	c.addrs[follower] = "moved:1"
	c.start(follower, func(cfg *Config) { cfg.Join = others })
	c.write("b")
	c.agree("a", "b")
	if m, _ := c.leader().member(follower); m.Address != "moved:1" || !m.Voter {
		t.Errorf("the others know %+v", m)
	}
}

// TestSnapshotToLaggard: a member that was away longer than the log reaches
// back gets a snapshot.
func TestSnapshotToLaggard(t *testing.T) {
	t.Parallel()
	f := func(kind LogKind) {
		t.Helper()
		c := newCluster3(t, newPipeNet(), func(cfg *Config) { cfg.LogKind, cfg.TrailingEntries, cfg.segment = kind, 2, 64<<10 })
		c.write("a0")
		follower := "k1"
		if c.leader().cfg.ID == follower {
			follower = "k2"
		}
		c.kill(follower)
		want := []string{"a0"}
		for i := range 20 {
			// WAL forgets whole segments only: a few of them are filled.
			cmd := fmt.Sprint("b", i, strings.Repeat("-", 16<<10))
			c.write(cmd)
			want = append(want, cmd)
		}
		l := c.leader()
		if err := l.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l.Stats().SnapshotIndex == 0 {
			t.Fatal("no snapshot")
		}
		c.write("c")
		want = append(want, "c")
		c.start(follower)
		c.agree(want...)
		if c.tapes[follower].restores() != 1 {
			t.Errorf("%s: it was brought up with %d snapshots", kind, c.tapes[follower].restores())
		}
		// And it starts from that snapshot.
		c.kill(follower)
		c.start(follower)
		c.agree(want...)
	}
	f(WAL)
	f(Bolt)
}
