package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// All members of these benchmarks share one machine and one disk.
//
//	go test -run '^$' -bench . -benchtime 2s ./keeper/store

func usual(kind LogKind) func(*Config) {
	return func(cfg *Config) { cfg.LogKind, cfg.Timing = kind, Timing{} }
}

// BenchmarkCommit commits 200 bytes, one after the other or by 64 writers.
func BenchmarkCommit(b *testing.B) {
	for _, kind := range []LogKind{WAL, Bolt, Memory} {
		for _, n := range []int{1, 3} {
			c := foundCluster(b, n, nil, usual(kind))
			l := c.leader()
			for _, writers := range []int{1, 64} {
				b.Run(fmt.Sprintf("log=%s/members=%d/writers=%d", kind, n, writers), func(b *testing.B) {
					commit(b, l, writers)
				})
			}
			c.closeAll()
			clear(c.members)
		}
	}
}

func commit(b *testing.B, l *Store, writers int) {
	cmd := make([]byte, 200)
	took := make([][]time.Duration, writers)
	before := l.Stats()
	start := time.Now()
	b.ResetTimer()
	done := make(chan error)
	for w := range writers {
		go func() {
			for i := w; i < b.N; i += writers {
				begin := time.Now()
				if _, _, err := l.Apply(context.Background(), cmd); err != nil {
					done <- err
					return
				}
				took[w] = append(took[w], time.Since(begin))
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
	after := l.Stats()
	all := slices.Concat(took...)
	b.ReportMetric(float64(len(all))/time.Since(start).Seconds(), "commits/s")
	report(b, "", all)
	if n := after.Appends - before.Appends; n > 0 {
		b.ReportMetric(float64((after.AppendTime-before.AppendTime)/time.Duration(n))/1e6, "ms/append")
		b.ReportMetric(float64(after.Entries-before.Entries)/float64(n), "entries/append")
	}
}

func report(b *testing.B, what string, took []time.Duration) {
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / 1e6 }
	b.ReportMetric(at(0.5), "p50-ms"+what)
	b.ReportMetric(at(0.99), "p99-ms"+what)
	b.ReportMetric(at(1), "max-ms"+what)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFollowers is from Apply until the last of three machines has
// executed the command.
func BenchmarkFollowers(b *testing.B) {
	c := foundCluster(b, 3, nil, usual(WAL))
	l := c.leader()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		index, _, err := l.Apply(b.Context(), make([]byte, 200))
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range c.members {
			if err := m.WaitApplied(b.Context(), index); err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, time.Since(begin))
	}
	report(b, "", took)
}

// BenchmarkLinearize is a linearizable read of nothing, on the leader of three.
func BenchmarkLinearize(b *testing.B) {
	c := foundCluster(b, 3, nil, usual(WAL))
	l := c.leader()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := l.Linearize(b.Context()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	report(b, "", took)
}

// BenchmarkLeaderKilled is from the death of the leader of three until the next
// commit.
func BenchmarkLeaderKilled(b *testing.B) {
	afterLeader(b, func(s *Store) { s.Close() }, true)
}

// BenchmarkStop is from the stop of the leader, which hands over, until the
// next commit.
func BenchmarkStop(b *testing.B) {
	afterLeader(b, func(s *Store) { s.Stop(context.Background()) }, true)
}

// BenchmarkTransfer is from the order to hand over until the next commit.
func BenchmarkTransfer(b *testing.B) {
	afterLeader(b, func(s *Store) {
		if err := s.Transfer(context.Background(), ""); err != nil {
			b.Error(err)
		}
	}, false)
}

func afterLeader(b *testing.B, end func(*Store), restart bool) {
	c := foundCluster(b, 3, nil, usual(WAL))
	c.write("warm")
	var took []time.Duration
	for b.Loop() {
		old := c.leader()
		c.write("before")
		delete(c.members, old.cfg.ID)
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		var others []*Store
		for _, m := range c.members {
			others = append(others, m)
		}
		begin := time.Now()
		go end(old)
		firstCommit(ctx, b, others)
		took = append(took, time.Since(begin))
		cancel()
		if restart {
			old.Close()
			c.start(old.cfg.ID)
			c.ready(old.cfg.ID)
		} else {
			c.members[old.cfg.ID] = old
		}
		for id, m := range c.members {
			if err := m.WaitApplied(b.Context(), c.leader().Stats().Applied); err != nil {
				b.Fatal(id, err)
			}
		}
	}
	report(b, "", took)
}

// firstCommit asks the members in turn, a little apart, as a client would.
func firstCommit(ctx context.Context, b *testing.B, members []*Store) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		_, _, err := members[i%len(members)].Apply(ctx, []byte("next"))
		if err == nil {
			return
		}
		if !errors.As(err, &ErrNotLeader{}) && !errors.Is(err, ErrOutcomeUnknown) || ctx.Err() != nil {
			b.Fatal(err)
		}
		<-tick.C
	}
}

// BenchmarkFsync is the floor: an append of 4 KiB to an allocated file and its
// sync.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 << 20); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	page := make([]byte, 4096)
	for b.Loop() {
		begin := time.Now()
		if _, err := f.WriteAt(page, int64(len(took)%16384)*4096); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	report(b, "", took)
}
