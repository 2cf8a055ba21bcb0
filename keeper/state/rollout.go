package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushfleet/internal/keeperapi"
)

// rolloutsRunningMax bounds rollouts at one time.
const rolloutsRunningMax = 32

// rollout is a plan on its way. The values lie in the canary layer for the
// nodes reached, and nowhere else until it is done: ending it can only take
// back what it gave.
type rollout struct {
	keeperapi.Rollout
	in map[string]bool // derived: Nodes
	// given is what the nodes reached hold, by knob; each keeps the revision
	// of the start.
	given map[string]*keeperapi.Value
}

// read derives what is not in the snapshot.
func (r *rollout) read() {
	r.in = make(map[string]bool, len(r.Nodes))
	for _, id := range r.Nodes {
		r.in[id] = true
	}
	r.given = make(map[string]*keeperapi.Value, len(r.Values))
	for knob, v := range r.Values {
		r.given[knob] = r.value(v, r.Revision, r.Started)
	}
}

func (r *rollout) value(v string, revision uint64, at keeperapi.Time) *keeperapi.Value {
	return &keeperapi.Value{Value: v, Revision: revision, Who: r.Who, At: at, Why: r.Why, From: r.From,
		Guard: r.Guard, Rollout: r.ID, Deadline: r.Deadline}
}

// valueFor returns what the node holds by the rollout, or nil. Once all are
// reached, that is what the node would hold with the rollout done.
func (r *rollout) valueFor(s *State, n *keeperapi.Node, knob string) *keeperapi.Value {
	v := r.given[knob]
	if v == nil || r.in[n.ID] || r.All && r.Scope.Covers(n.ID, n.Labels) && !s.shielded(n, r.Scope, knob) {
		return v
	}
	return nil
}

// drop forgets a node that left.
func (r *rollout) drop(id string) {
	if r.in[id] {
		delete(r.in, id)
		r.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes), func(have string) bool { return have == id })
	}
}

// rolloutOf returns the running rollout of a knob; there is at most one.
func (s *State) rolloutOf(knob string) *rollout {
	for _, r := range s.running {
		if _, ok := r.Values[knob]; ok {
			return r
		}
	}
	return nil
}

// rolloutsOf returns the running rollouts of the knobs, each once, in the
// order of their start.
func (s *State) rolloutsOf(changes []keeperapi.Assign) []*rollout {
	var out []*rollout
	for _, r := range s.running {
		if slices.ContainsFunc(changes, func(a keeperapi.Assign) bool { _, ok := r.Values[a.Knob]; return ok }) {
			out = append(out, r)
		}
	}
	return out
}

func (r *rollout) describe() string {
	var words []string
	for _, knob := range slices.Sorted(maps.Keys(r.Values)) {
		if len(words) == 5 {
			words = append(words, fmt.Sprintf("and %d more", len(r.Values)-5))
			break
		}
		words = append(words, knob+"="+shortened(r.Values[knob]))
	}
	return strings.Join(words, ", ")
}

// Rollout returns one rollout, running or remembered.
func (s *State) Rollout(id string) (r keeperapi.Rollout, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.rollouts[id]; p != nil {
		return p.Rollout, true
	}
	return r, false
}

// Rollouts returns all in the order of their start. Their maps and slices must
// not be changed.
func (s *State) Rollouts() []keeperapi.Rollout {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []keeperapi.Rollout
	for _, r := range s.started {
		out = append(out, r.Rollout)
	}
	return out
}
