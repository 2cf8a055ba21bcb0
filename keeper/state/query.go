package state

import (
	"slices"

	"pushfleet/internal/keeperapi"
)

// Revision returns the state's revision.
func (s *State) Revision() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.revision
}

// ValuesRevision returns the last revision that changed a knob's value: a node
// that has applied it or a later one is current.
func (s *State) ValuesRevision() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.values
}

// Values returns every value of every scope but canaries. The maps are the
// caller's; the values must not be changed.
func (s *State) Values() map[keeperapi.Scope]map[string]*keeperapi.Value {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.copyScopes()
}

// History returns what happened to a knob, oldest first, and the revision that
// changed it last, for a compare-and-set. Changes of floor and before are
// forgotten.
func (s *State) History(knob string) (changes []keeperapi.Change, last, floor uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.history[knob]
	if h == nil {
		return nil, 0, 0
	}
	return slices.Clone(h.Changes), h.Last, h.Floor
}

// Audit returns the last n lines, oldest first; all of them for n ≤ 0.
func (s *State) Audit(n int) []keeperapi.Audit {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n <= 0 || n > len(s.audit) {
		n = len(s.audit)
	}
	return slices.Clone(s.audit[len(s.audit)-n:])
}
