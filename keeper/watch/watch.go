// Package watch tells those who wait that the replicated state has moved on.
// Nobody who waits can hold a commit up: a commit only closes a channel, and
// whoever is slow reads later what is then the latest.
package watch

import (
	"sync"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
)

// Hub knows how far the state is. Its zero value is ready.
type Hub struct {
	mu     sync.Mutex
	all    mark // any revision
	values mark // revisions that changed a knob's value
}

// mark is a number that grows, and a channel that is closed when it does.
type mark struct {
	revision uint64
	grown    chan struct{} // nil until somebody asks
}

func (m *mark) set(revision uint64) {
	if m.revision == revision {
		return
	}
	m.revision = revision
	if m.grown != nil {
		close(m.grown)
		m.grown = nil
	}
}

func (m *mark) get() (uint64, <-chan struct{}) {
	if m.grown == nil {
		m.grown = make(chan struct{})
	}
	return m.revision, m.grown
}

// Moved notes where the state is now. A restored state may be behind.
func (h *Hub) Moved(revision, values uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.set(revision)
	h.values.set(values)
}

// Any returns the state's revision and a channel that is closed when it is
// another.
func (h *Hub) Any() (uint64, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.get()
}

// Values is Any for revisions that changed a knob's value: nodes wait for
// these, so that four thousand that join do not wake each other.
func (h *Hub) Values() (uint64, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.values.get()
}

// Machine is a state that tells a hub of each step.
type Machine struct {
	*state.State
	hub *Hub
}

// Machine couples a state to the hub.
func (h *Hub) Machine(s *state.State) *Machine {
	m := &Machine{s, h}
	h.Moved(s.Marks())
	return m
}

// Apply runs one command; see state.State.
func (m *Machine) Apply(index uint64, cmd []byte) []byte {
	out := m.State.Apply(index, cmd)
	m.hub.Moved(m.Marks())
	return out
}

// Restore replaces the state; see state.State.
func (m *Machine) Restore(snapshot []byte) error {
	err := m.State.Restore(snapshot)
	m.hub.Moved(m.Marks())
	return err
}

// Feed is one watcher's way through the revisions.
type Feed struct {
	state    *state.State
	position uint64
	whole    bool // the next frame is a snapshot
}

// NewFeed begins after a revision; 0 begins with a snapshot.
func NewFeed(s *state.State, from uint64) *Feed {
	return &Feed{state: s, position: from, whole: from == 0}
}

// Next returns what the watcher has not seen yet, nil for nothing: events, or a
// snapshot when they are forgotten or belong to a state that was lost.
func (f *Feed) Next(now keeperapi.Time) *keeperapi.WatchFrame {
	if !f.whole {
		events, ok := f.state.Since(f.position)
		if ok && len(events) == 0 {
			return nil
		}
		if ok {
			f.position = events[len(events)-1].Revision
			return &keeperapi.WatchFrame{Position: f.position, NowMS: now, Events: events}
		}
	}
	values, position := f.state.Whole()
	f.whole, f.position = false, position
	return &keeperapi.WatchFrame{Position: position, NowMS: now, Snapshot: true, Values: values}
}
