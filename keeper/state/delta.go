package state

import (
	"sort"

	"pushfleet/internal/keeperapi"
)

// Delta is what a node that holds a position must hold otherwise, all of one
// moment: no half of a transaction is ever in it. When what changed since is
// forgotten, or the position is yet to come, it returns everything instead. A
// node that is not known is in the fleet and in its own scope only.
// Both are nil when nothing of the node's changed; moved is then the position
// to go on from and values the revision that the node holds without doing
// anything.
func (s *State) Delta(id string, from uint64) (all *keeperapi.Effective, delta *keeperapi.Changed, moved, values uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if from == 0 || from < s.ring.floor || from > s.revision {
		e := s.effective(id)
		return &e, nil, e.Position, e.Revision
	}
	v := s.viewOf(id)
	events := s.ring.events
	first := sort.Search(len(events), func(i int) bool { return events[i].Revision > from })
	for i := range events[first:] {
		e := &events[first+i]
		if !e.Touches(id, v.n.Labels) {
			continue
		}
		if delta == nil {
			delta = &keeperapi.Changed{Revision: s.values, Position: s.revision, Knobs: map[string]*keeperapi.Held{}}
		}
		if _, done := delta.Knobs[e.Knob]; done {
			continue
		}
		delta.Knobs[e.Knob] = nil
		if h, ok := v.held(e.Knob); ok {
			delta.Knobs[e.Knob] = &h
		}
	}
	return nil, delta, s.revision, s.values
}

// Answered tells whether a command with this idempotency key was carried out
// and is remembered: the same once more only repeats the answer.
func (s *State) Answered(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.answered[id] != nil
}

// Frozen returns the freeze that holds a knob, nil for none.
func (s *State) Frozen(knob string) *keeperapi.Freeze {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.frozen(knob)
}

// Last returns the revision of a knob's last change, 0 for none.
func (s *State) Last(knob string) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.history[knob]; h != nil {
		return h.Last
	}
	return 0
}

// ValuesWithLast is Values with the revision of each knob's last change, both
// of one moment: who reads a value and then compares and sets by that revision
// must not overwrite what he has not seen.
func (s *State) ValuesWithLast() (values map[keeperapi.Scope]map[string]*keeperapi.Value, last map[string]uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	last = make(map[string]uint64, len(s.history))
	for knob, h := range s.history {
		last[knob] = h.Last
	}
	return s.copyScopes(), last
}

// HasOwn tells whether a node holds something that others like it may not: a
// value of its own, or one of a rollout that has not reached all.
func (s *State) HasOwn(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.running {
		if r.in[id] {
			return true
		}
	}
	return len(s.scopes[keeperapi.NodeScope(id)]) > 0
}

// Marks returns the revision and the values' revision of one moment.
func (s *State) Marks() (revision, values uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.revision, s.values
}

// Whole returns every value of every scope but canaries, and the position from
// which events go on.
func (s *State) Whole() (values map[keeperapi.Scope]map[string]*keeperapi.Value, position uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.copyScopes(), s.revision
}

// Says returns what a scope says about a knob, "" for nothing. Rollouts lie
// over it.
func (s *State) Says(scope keeperapi.Scope, knob string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return text(s.at(place{scope, knob}))
}
