package e2e

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pushfleet/internal/keeperapi"
)

// TestRollingRestart stops and starts one member after the other, as an upgrade
// does, while clients set and somebody watches: what was acknowledged is there,
// what was told as failed is not, and the watcher has seen each revision once.
func TestRollingRestart(t *testing.T) {
	k := startKeepers(t, newLAN(t), 3)
	c := k.client(patience)
	schema, knobs := linearSchema()
	node := startScribe(t, c, "scribe", schema)
	declared(t, c, knobs)
	remember(t, c)
	w := startWatcher(t, k.client(patience))

	log := newLedger()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	for i := range 4 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		caller := newCaller(k, log, i, r, knobs)
		caller.ask = caller.ask[len(k.all):] // who knows all members
		work.Go(func() { caller.run(ctx) })  // ends with ctx
	}
	for i := range k.all {
		made := log.changes()
		eventually(t, "changes are made", func() bool { return log.changes() > made+100 })
		k.all[i].proc.term(t)
		k.run(i)
		k.leader()
		eventually(t, "the member keeps up", func() bool { return keepsUp(k, i) })
	}
	cancel()
	work.Wait()
	t.Log(log.summary())
	past := committed(t, k, knobs)
	settle(t, log, past)
	obeyed(t, node, past)
	w.sawAll(t, past)
	judge(t, log.history())
}

// keepsUp tells whether a member knows all that the leader has committed.
func keepsUp(k *keepers, i int) bool {
	s, l := k.status(i), k.status(k.leader())
	return s != nil && l != nil && s.Revision+10 >= l.Revision
}

// watcher writes down the events that it was sent.
type watcher struct {
	mu     sync.Mutex
	events []keeperapi.Event
	frames []*keeperapi.WatchFrame // without the events
}

// startWatcher watches until the test ends, and returns when it has begun.
func startWatcher(t testing.TB, c *keeperapi.Client) *watcher {
	t.Helper()
	w := &watcher{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	began := make(chan struct{})
	go func() { // ended by the cleanup
		defer close(done)
		_ = c.Watch(ctx, 0, func(f *keeperapi.WatchFrame) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.frames) == 0 {
				close(began)
			}
			w.events = append(w.events, f.Events...)
			w.frames = append(w.frames, &keeperapi.WatchFrame{Position: f.Position, Snapshot: f.Snapshot})
			return nil
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-began:
	case <-done:
		t.Fatal("the watch ended before it began")
	}
	return w
}

// sawAll checks that each change was seen once, in order, and nothing else.
func (w *watcher) sawAll(t *testing.T, past map[string][]keeperapi.Change) {
	t.Helper()
	var want []uint64
	for _, changes := range past {
		for _, c := range changes {
			want = append(want, c.Revision)
		}
	}
	slices.Sort(want)
	eventually(t, "the watcher has caught up", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.frames[len(w.frames)-1].Position >= want[len(want)-1]
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []uint64
	for i := range w.events {
		if r := w.events[i].Revision; w.events[i].Kind == keeperapi.KindSet && r <= want[len(want)-1] {
			got = append(got, r)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the watcher saw %d changes, %d were made: %v", len(got), len(want), unlike(got, want))
	}
	for i, f := range w.frames[1:] {
		if f.Snapshot || f.Position <= w.frames[i].Position {
			t.Errorf("frame %d: position %d after %d, a snapshot: %v", i+1, f.Position, w.frames[i].Position, f.Snapshot)
		}
	}
}

// unlike lists what only one of two lists holds.
func unlike(a, b []uint64) (out []uint64) {
	for _, r := range a {
		if !slices.Contains(b, r) {
			out = append(out, r)
		}
	}
	for _, r := range b {
		if !slices.Contains(a, r) {
			out = append(out, r)
		}
	}
	return out
}
