package e2e

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"

	"pushfleet/internal/keeperapi"
)

// asRefusal returns the keeper's own error.
func asRefusal(err error) (*keeperapi.Error, bool) { return errors.AsType[*keeperapi.Error](err) }

// scribe is a node that obeys at once and writes down all that it was told.
type scribe struct {
	id     string
	schema keeperapi.Schema
	stop   func() // may be called again

	mu    sync.Mutex
	held  map[string]keeperapi.Held
	notes []note
}

// note is what a scribe held from one update on.
type note struct {
	full     bool
	revision uint64
	position uint64
	held     map[string]keeperapi.Held
}

// startScribe runs a node until stop, or the test's end.
func startScribe(t testing.TB, c *keeperapi.Client, id string, schema keeperapi.Schema) *scribe {
	n := &scribe{id: id, schema: schema, held: map[string]keeperapi.Held{}}
	s := c.NewSession(n, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }() // ended by stop
	n.stop = func() { cancel(); <-done }
	t.Cleanup(n.stop)
	return n
}

// Hello says who the node is and where it resumes.
func (n *scribe) Hello(definition bool) keeperapi.Hello {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := keeperapi.Hello{Join: keeperapi.Join{ID: n.id, Epoch: "e-" + n.schema.Hash(), Version: "0.1.0", Schema: n.schema.Hash()}}
	if len(n.notes) > 0 {
		last := n.notes[len(n.notes)-1]
		h.From, h.Knobs = last.position, keeperapi.Ack{Applied: last.revision}
	}
	if definition {
		h.Definition = n.schema
	}
	return h
}

// Update takes all.
func (n *scribe) Update(u keeperapi.Update) keeperapi.Ack {
	n.mu.Lock()
	defer n.mu.Unlock()
	if u.Full {
		clear(n.held)
	}
	for knob, h := range u.Knobs {
		delete(n.held, knob)
		if h != nil {
			n.held[knob] = *h
		}
	}
	n.notes = append(n.notes, note{u.Full, u.Revision, u.Position, maps.Clone(n.held)})
	return keeperapi.Ack{Applied: u.Revision}
}

// Check accepts all.
func (n *scribe) Check(keeperapi.Check) keeperapi.Checked { return keeperapi.Checked{} }

// Beat is a sign of life.
func (n *scribe) Beat() keeperapi.Beat { return keeperapi.Beat{Health: "serving"} }

// written returns a copy of all notes.
func (n *scribe) written() []note {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]note(nil), n.notes...)
}
