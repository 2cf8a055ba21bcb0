package state

import (
	"cmp"
	"slices"

	"pushfleet/internal/keeperapi"
)

// layer is one scope's say for a node.
type layer struct {
	scope keeperapi.Scope
	value *keeperapi.Value
}

// view is one node with the scopes that cover it, found once for all knobs.
type view struct {
	s      *State
	n      *keeperapi.Node
	scopes []scoped // the weakest first: fleet, groups, node
	layers []layer  // scratch
}

type scoped struct {
	scope keeperapi.Scope
	knobs map[string]*keeperapi.Value
}

// viewOf looks up a node's scopes. A node that is not known is in the fleet
// and in its own scope only.
func (s *State) viewOf(id string) *view {
	n := s.nodes[id]
	if n == nil {
		n = &keeperapi.Node{ID: id}
	}
	v := &view{s: s, n: n}
	add := func(scope keeperapi.Scope) {
		if knobs := s.scopes[scope]; knobs != nil {
			v.scopes = append(v.scopes, scoped{scope, knobs})
		}
	}
	add(keeperapi.Fleet)
	for name, value := range n.Labels { // any order: layersOf sorts
		add(keeperapi.Scope(name + "=" + value))
	}
	add(keeperapi.NodeScope(id))
	return v
}

// layersOf returns what each scope that covers the node says about a knob, the
// weakest first: fleet, groups, node, canary. Of several groups the latest
// revision is the strongest, and of one revision the first by name. The slice
// is good until the next call.
func (v *view) layersOf(knob string) []layer {
	out := v.layers[:0]
	first, groups := 0, 0
	for _, sc := range v.scopes {
		value := sc.knobs[knob]
		if value == nil {
			continue
		}
		if sc.scope.Layer() == keeperapi.LayerGroup {
			if groups == 0 {
				first = len(out)
			}
			groups++
		}
		out = append(out, layer{sc.scope, value})
	}
	if groups > 1 {
		slices.SortFunc(out[first:first+groups], byStrength)
	}
	for _, r := range v.s.running {
		if value := r.valueFor(v.s, v.n, knob); value != nil {
			out = append(out, layer{keeperapi.CanaryScope(r.ID), value})
		}
	}
	v.layers = out
	return out
}

// winner returns the strongest layer at a time; ok is false if only the
// default is left.
func winner(layers []layer, at keeperapi.Time) (best layer, ok bool) {
	for _, l := range layers {
		if l.value = stillAt(l.value, at); l.value == nil {
			continue
		}
		bothGroups := ok && best.scope.Layer() == keeperapi.LayerGroup && l.scope.Layer() == keeperapi.LayerGroup
		if !bothGroups || byStrength(best, l) < 0 {
			best, ok = l, true
		}
	}
	return best, ok
}

// byStrength orders groups, the weakest first. What returns after a temporary
// value has an older revision, so the order is not fixed once for all.
func byStrength(a, b layer) int {
	return cmp.Or(cmp.Compare(a.value.Revision, b.value.Revision), cmp.Compare(b.scope, a.scope))
}

// held returns what the node must hold for the knob; ok is false for its
// default.
func (v *view) held(knob string) (h keeperapi.Held, ok bool) {
	layers := v.layersOf(knob)
	w, ok := winner(layers, 0)
	if !ok {
		return h, false
	}
	h = keeperapi.Held{Value: w.value.Value, Layer: w.scope.Layer(), Scope: w.scope, Revision: w.value.Revision,
		Guard: w.value.Guard, Rollout: w.value.Rollout, Deadline: w.value.Deadline}
	h.Then = later(layers, h.Deadline)
	if h.Guard != "" || h.Layer == keeperapi.LayerCanary {
		h.Else, h.ElseThen = without(layers, w)
	}
	return h, true
}

// Effective returns all that a node must hold. A node that is not known is in
// the fleet and in its own scope only.
func (s *State) Effective(id string) keeperapi.Effective {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.effective(id)
}

func (s *State) effective(id string) keeperapi.Effective {
	v := s.viewOf(id)
	e := keeperapi.Effective{Node: id, Revision: s.values, Position: s.revision,
		Knobs: make(map[string]keeperapi.Held, len(s.scopes[keeperapi.Fleet]))}
	take := func(knob string) {
		if _, done := e.Knobs[knob]; done {
			return
		}
		if h, ok := v.held(knob); ok {
			e.Knobs[knob] = h
		}
	}
	for _, sc := range v.scopes {
		for knob := range sc.knobs {
			take(knob)
		}
	}
	for _, r := range s.running {
		for knob := range r.Values {
			take(knob)
		}
	}
	return e
}

// HeldBy returns what a node must hold for one knob; ok is false for its
// default.
func (s *State) HeldBy(id, knob string) (h keeperapi.Held, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.viewOf(id).held(knob)
}

// Explain says which layers speak about a knob on a node, and which wins. ok
// is false if the node is not known.
func (s *State) Explain(id, knob string) (x keeperapi.Explain, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.nodes[id]
	if n == nil {
		return x, false
	}
	x = keeperapi.Explain{Node: id, Knob: knob, Winner: keeperapi.LayerDefault, Frozen: s.frozen(knob)}
	if sc := s.schemas[n.Schema]; sc != nil && sc.knobs[knob] != nil {
		d := *sc.knobs[knob].Decl
		x.Decl, x.Value = &d, d.Default
	}
	layers := s.viewOf(id).layersOf(knob)
	w, ok := winner(layers, 0)
	for _, l := range layers {
		wins := ok && l.scope == w.scope
		x.Layers = append(x.Layers, keeperapi.LayerValue{Layer: l.scope.Layer(), Scope: l.scope, Wins: wins, Value: *l.value})
	}
	if ok {
		x.Winner, x.Scope, x.Value = w.scope.Layer(), w.scope, w.value.Value
	}
	return x, true
}
