package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	f := func(n int, pipes *pipeNet, change ...func(*Config)) {
		t.Helper()
		c := foundCluster(t, n, pipes, change...)
		l := c.leader()
		for i := range 10 {
			before, _ := l.Applied()
			index, result, err := l.Apply(t.Context(), fmt.Appendf(nil, "c%d", i))
			if err != nil {
				t.Fatal(err)
			}
			if want := []byte{byte(i + 1)}; !bytes.Equal(result, want) {
				t.Fatalf("result %v, want %v", result, want)
			}
			if after, _ := l.Applied(); index <= before || after != index {
				t.Fatalf("applied %d, then %d, with %d between", before, after, index)
			}
		}
		if err := l.Linearize(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.agree("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9")
		for id, m := range c.members {
			if got := len(m.Members()); got != n {
				t.Errorf("%s knows %d members, want %d", id, got, n)
			}
		}
	}
	f(1, newPipeNet())
	f(3, newPipeNet(), steady)
	f(5, newPipeNet(), steady)
	f(1, nil)
	f(3, nil, steady)
}

func TestKinds(t *testing.T) {
	t.Parallel()
	f := func(kind LogKind, survives bool) {
		t.Helper()
		c := foundCluster(t, 1, newPipeNet(), func(cfg *Config) { cfg.LogKind = kind })
		c.write("a")
		if err := c.leader().Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.write("b")
		if !survives {
			return
		}
		c.kill("k1")
		c.start("k1")
		c.ready("k1")
		c.agree("a", "b")
		if c.tapes["k1"].restores() != 1 {
			t.Error("the snapshot was not used")
		}
	}
	f(WAL, true)
	f(Bolt, true)
	f(Memory, false)
}

func TestKindCannotChange(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet())
	c.kill("k1")
	if _, err := Open(c.configOf("k1", func(cfg *Config) { cfg.LogKind = Bolt })); err == nil {
		t.Fatal("a log of another kind was started over the old one")
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet())
	if _, err := Open(c.configOf("k1", func(cfg *Config) { cfg.Listen = "other:1" })); err == nil {
		t.Fatal("two members opened one directory")
	}
	c.kill("k1")
	if _, err := Open(c.configOf("k2", func(cfg *Config) { cfg.Dir = c.dir + "/k1" })); err == nil {
		t.Fatal("k2 opened the directory of k1")
	}
}

func TestFollowerNamesLeader(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	for id, m := range c.members {
		c.eventually(id+" knowing the leader", func() bool {
			l := c.leader()
			_, _, err := m.Apply(t.Context(), []byte("x"))
			var got ErrNotLeader
			return m == l || errors.As(err, &got) && got == ErrNotLeader{l.cfg.ID, l.Addr()}
		})
		if err := m.Linearize(t.Context()); !errors.As(err, &ErrNotLeader{}) && m != c.leader() {
			t.Errorf("%s linearized: %v", id, err)
		}
	}
}

func TestApplyBounds(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet(), func(cfg *Config) { cfg.CommandMax, cfg.InflightMax = 10, 1 })
	l := c.leader()
	if _, _, err := l.Apply(t.Context(), make([]byte, 11)); err == nil {
		t.Error("a command above the limit was taken")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Apply(ended, []byte("x")); !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("ended context: %v", err)
	}
	l.slots <- struct{}{}
	if _, _, err := l.Apply(t.Context(), []byte("x")); !errors.Is(err, ErrBusy) {
		t.Errorf("no slot left: %v", err)
	}
	<-l.slots
	c.kill("k1")
	if _, _, err := l.Apply(t.Context(), []byte("x")); !errors.Is(err, ErrShutdown) {
		t.Errorf("after the end: %v", err)
	}
	if len(c.tapes["k1"].all()) != 0 {
		t.Error("a refused command was executed")
	}
}

// TestCutOffLeader: what the old leader takes while it is alone must not be
// acknowledged, and it must not serve reads.
func TestCutOffLeader(t *testing.T) {
	t.Parallel()
	pipes := newPipeNet()
	c := newCluster3(t, pipes)
	c.write("a")
	old := c.leader()
	id := old.cfg.ID
	pipes.split(true, old.Addr())
	if err := old.Linearize(t.Context()); err == nil {
		t.Fatal("the cut off leader served a read")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, _, err := old.Apply(ctx, []byte("lost"))
	if !errors.Is(err, ErrOutcomeUnknown) && !errors.As(err, &ErrNotLeader{}) {
		t.Fatalf("the cut off leader said: %v", err)
	}
	delete(c.members, id)
	c.write("b")
	c.members[id] = old
	pipes.split(false, old.Addr())
	c.agree("a", "b")
}

func TestAppliedWakes(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet(), steady)
	index := uint64(0)
	type woken struct {
		id string
		ok bool
	}
	l := c.leader()
	waiting := make(chan woken)
	for id, m := range c.members {
		before, more := m.Applied()
		go func() {
			<-more
			after, _ := m.Applied()
			waiting <- woken{id, after > before}
		}()
	}
	index, _, err := l.Apply(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for range c.members {
		if w := <-waiting; !w.ok {
			t.Errorf("%s woke without a new index", w.id)
		}
	}
	for _, m := range c.members {
		if err := m.WaitApplied(t.Context(), index); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.WaitApplied(ctx, index+1); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for the future: %v", err)
	}
}
