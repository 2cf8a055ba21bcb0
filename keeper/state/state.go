// Package state is the replicated state of keepers as a pure machine: commands
// in, revisions and events out. It has no clock, no randomness and no I/O: the
// leader stamps the time into the command, so every member that applies the
// same commands holds the same bytes.
package state

import (
	"sync"

	"pushfleet/internal/keeperapi"
)

// State is the whole of it. Apply, Restore and readers may be called from
// different goroutines; Apply and Restore are called by one at a time.
type State struct {
	mu sync.RWMutex // all below

	revision uint64 // of the last command that changed anything seen outside
	values   uint64 // revision of the last that changed a knob's value
	limits   keeperapi.Limits

	nodes   map[string]*keeperapi.Node
	schemas map[string]*schema // by hash, while a node refers to it

	scopes  map[keeperapi.Scope]map[string]*keeperapi.Value // scope → knob → value
	count   int                                             // values in scopes
	ending  map[place]keeperapi.Time                        // derived: those with a deadline
	history map[string]*history                             // by knob
	freezes map[string]*keeperapi.Freeze

	rollouts map[string]*rollout
	started  []*rollout // in the order of their start
	running  []*rollout // derived, same order

	tokens map[string]*keeperapi.Token // by name
	hashes map[string]*keeperapi.Token // derived
	audit  []keeperapi.Audit

	answers  []*answer // oldest first
	answered map[string]*answer

	ring ring // not in the snapshot
}

// place is one knob in one scope.
type place struct {
	scope keeperapi.Scope
	knob  string
}

// New returns the state of a fleet without nodes, at revision 0.
func New() *State {
	s := &State{}
	s.reset()
	return s
}

func (s *State) reset() {
	s.revision, s.values, s.count = 0, 0, 0
	s.limits = keeperapi.DefaultLimits()
	s.nodes = map[string]*keeperapi.Node{}
	s.schemas = map[string]*schema{}
	s.scopes = map[keeperapi.Scope]map[string]*keeperapi.Value{}
	s.ending = map[place]keeperapi.Time{}
	s.history = map[string]*history{}
	s.freezes = map[string]*keeperapi.Freeze{}
	s.rollouts = map[string]*rollout{}
	s.started, s.running = nil, nil
	s.tokens, s.hashes = map[string]*keeperapi.Token{}, map[string]*keeperapi.Token{}
	s.audit, s.answers = nil, nil
	s.answered = map[string]*answer{}
	s.ring = ring{}
}
