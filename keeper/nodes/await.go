package nodes

import (
	"context"
	"maps"
	"slices"
	"time"

	"pushfleet/internal/keeperapi"
)

// waiter counts nodes that have not come as far as a revision.
type waiter struct {
	revision uint64
	left     map[string]struct{} // by name: a node may come back in another session
	nacked   []keeperapi.Refusal
	last     time.Time
	done     chan struct{}
}

// progress notes that a node has come to a revision, or refused it.
func (d *Desk) progress(s *session, revision uint64, no *keeperapi.Refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.waiters {
		if _, in := w.left[s.join.ID]; in && revision >= w.revision {
			w.arrived(s.join.ID, no)
		}
	}
}

// arrived needs the desk's lock.
func (w *waiter) arrived(node string, no *keeperapi.Refusal) {
	delete(w.left, node)
	if no != nil {
		w.nacked = append(w.nacked, *no)
	}
	if w.last = time.Now(); len(w.left) == 0 {
		close(w.done)
	}
}

// Await waits until all nodes with a session that f wants have applied or
// refused a revision, or ctx ends, and says how far they are. since is when the
// change was asked for.
func (d *Desk) Await(ctx context.Context, revision uint64, since time.Time, f func(id string, labels map[string]string) bool) *keeperapi.Applied {
	w := &waiter{revision: revision, left: map[string]struct{}{}, last: time.Now(), done: make(chan struct{})}
	out := &keeperapi.Applied{Revision: revision}
	d.mu.Lock()
	for id, s := range d.sessions {
		if f(id, s.join.Labels) {
			w.left[id] = struct{}{}
		}
	}
	out.Of = len(w.left)
	for id := range w.left {
		if at := d.sessions[id].seen(); at.Applied >= revision || at.Nacked >= revision {
			var no *keeperapi.Refusal
			if at.Applied < revision {
				no = &keeperapi.Refusal{Node: id, Reason: at.Reason}
			}
			w.arrived(id, no)
		}
	}
	if out.Of > 0 && len(w.left) > 0 {
		d.waiters[w] = struct{}{}
	} else if out.Of == 0 {
		close(w.done)
	}
	d.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiters, w)
	out.Pending = slices.Sorted(maps.Keys(w.left))
	out.Applied, out.Nacked = out.Of-len(w.left)-len(w.nacked), w.nacked
	out.Pending = out.Pending[:min(len(out.Pending), keeperapi.NamesMax)]
	out.TookMS = float64(w.last.Sub(since)) / float64(time.Millisecond)
	if len(w.left) > 0 {
		out.TookMS = float64(time.Since(since)) / float64(time.Millisecond)
	}
	return out
}
