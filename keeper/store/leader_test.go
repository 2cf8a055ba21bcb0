package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	f := func(n int, pipes *pipeNet) {
		t.Helper()
		c := foundCluster(t, n, pipes)
		c.write("a")
		for i := range (n - 1) / 2 {
			c.kill(c.leader().cfg.ID)
			c.write(fmt.Sprintf("b%d", i))
		}
		want := []string{"a", "b0", "b1"}
		c.agree(want[:1+(n-1)/2]...)
	}
	f(3, newPipeNet())
	f(3, nil)
	f(5, newPipeNet())
}

func TestStopHandsOver(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, nil)
	old := c.leader()
	for id, m := range c.members {
		slow := m.raft.ReloadableConfig()
		slow.HeartbeatTimeout, slow.ElectionTimeout = time.Hour, time.Hour
		if err := m.raft.ReloadConfig(slow); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	// From here on only a transfer makes another one lead.
	if err := old.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := old.State(); got != Stopped {
		t.Errorf("the stopped member is %s", got)
	}
	delete(c.members, old.cfg.ID)
	c.write("after")
	c.agree("after")
	for id, m := range c.members {
		if l, _ := m.Leadership(); l.ID == old.cfg.ID {
			t.Errorf("%s takes the stopped member for the leader", id)
		}
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	for _, to := range []string{"k2", "k3", "k1", "k1"} {
		c.eventually("the leadership at "+to, func() bool {
			return c.leader().Transfer(t.Context(), to) == nil
		})
		if got := c.leader().cfg.ID; got != to {
			t.Fatalf("%s leads, not %s", got, to)
		}
		c.write(to)
	}
	if err := c.leader().Transfer(t.Context(), "nobody"); err == nil {
		t.Error("handed over to nobody")
	}
	if err := c.members["k2"].Transfer(t.Context(), ""); !errors.As(err, &ErrNotLeader{}) {
		t.Errorf("a follower handed over: %v", err)
	}
	c.agree("k2", "k3", "k1", "k1")
}

// TestCutOffFollower: however long it is alone, it raises no term, and so
// disturbs nobody when it comes back (pre-vote).
func TestCutOffFollower(t *testing.T) {
	t.Parallel()
	pipes := newPipeNet()
	c := newCluster3(t, pipes)
	c.write("a")
	c.agree("a")
	follower := c.members["k1"]
	if c.leader() == follower {
		follower = c.members["k2"]
	}
	pipes.split(true, follower.Addr())
	c.eventually("candidate", func() bool { return follower.State() == Candidate })
	term, since := follower.Stats().Term, time.Now()
	c.eventually("some elections tried", func() bool { return time.Since(since) > 5*follower.cfg.Timing.Election })
	if got := follower.Stats().Term; got != term {
		t.Errorf("alone it went from term %d to %d", term, got)
	}
	c.write("b")
	pipes.split(false, follower.Addr())
	c.agree("a", "b")
}

// TestNothingAcknowledgedIsLost moves the leadership about, by hand and by
// force, while writers write, and then looks for what they were promised.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	pipes := newPipeNet()
	c := newCluster3(t, pipes)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	members := []*Store{c.members["k1"], c.members["k2"], c.members["k3"]}
	var mu sync.Mutex
	acked, refused := map[string]int{}, map[string]bool{}
	enough := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				select {
				case <-enough:
					return
				default:
				}
				cmd := fmt.Sprintf("%d.%d", w, i)
				_, _, err := members[i%3].Apply(ctx, []byte(cmd))
				mu.Lock()
				if err == nil {
					acked[cmd]++
				} else if !errors.Is(err, ErrOutcomeUnknown) {
					refused[cmd] = true
				}
				mu.Unlock()
			}
		})
	}
	progress := func() {
		mu.Lock()
		before := len(acked)
		mu.Unlock()
		c.eventually("progress", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) >= before+20
		})
	}
	for i := range 4 {
		progress()
		l := c.leader()
		if i%2 == 0 {
			l.Transfer(ctx, "") // may fail: then somebody else leads already
			continue
		}
		pipes.split(true, l.Addr())
		c.eventually("another leader", func() bool { id, _ := l.Leader(); return id == "" })
		pipes.split(false, l.Addr())
	}
	progress()
	close(enough)
	writers.Wait()
	c.write("end")
	for id := range c.members {
		c.eventually(id+" at the end", func() bool {
			all := c.tapes[id].all()
			return len(all) > 0 && all[len(all)-1] == "end"
		})
		times := map[string]int{}
		for _, cmd := range c.tapes[id].all() {
			times[cmd]++
			if refused[cmd] || times[cmd] > 1 {
				t.Errorf("%s: %s was executed %d times, refused: %v", id, cmd, times[cmd], refused[cmd])
			}
		}
		for cmd := range acked {
			if times[cmd] != 1 {
				t.Errorf("%s: %s was acknowledged and executed %d times", id, cmd, times[cmd])
			}
		}
		if c.tapes[id].backward {
			t.Errorf("%s: an index did not grow", id)
		}
	}
}
