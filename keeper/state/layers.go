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

// layersOf returns what each scope that covers the node says about a knob, the
// weakest first: fleet, groups, node, canary. Of several groups the latest
// revision is the strongest, and of one revision the first by name.
func (s *State) layersOf(n *keeperapi.Node, knob string) []layer {
	var out []layer
	add := func(scope keeperapi.Scope) {
		if v := s.scopes[scope][knob]; v != nil {
			out = append(out, layer{scope, v})
		}
	}
	add(keeperapi.Fleet)
	groups := len(out)
	for name, value := range n.Labels { // any order: sorted below
		add(keeperapi.Scope(name + "=" + value))
	}
	slices.SortFunc(out[groups:], byStrength)
	add(keeperapi.NodeScope(n.ID))
	for _, r := range s.running {
		if v := r.valueFor(s, n, knob); v != nil {
			out = append(out, layer{keeperapi.CanaryScope(r.ID), v})
		}
	}
	return out
}

// winner returns the strongest layer at a time; nil if only the default is
// left.
func winner(layers []layer, at keeperapi.Time) *layer {
	var best *layer
	for i := range layers {
		v := stillAt(layers[i].value, at)
		if v == nil {
			continue
		}
		l := &layer{layers[i].scope, v}
		bothGroups := best != nil && best.scope.Layer() == keeperapi.LayerGroup && l.scope.Layer() == keeperapi.LayerGroup
		if !bothGroups || byStrength(*best, *l) < 0 {
			best = l
		}
	}
	return best
}

// byStrength orders groups, the weakest first. What returns after a temporary
// value has an older revision, so the order is not fixed once for all.
func byStrength(a, b layer) int {
	return cmp.Or(cmp.Compare(a.value.Revision, b.value.Revision), cmp.Compare(b.scope, a.scope))
}

// held returns what the node must hold for the knob; ok is false for its
// default.
func (s *State) held(n *keeperapi.Node, knob string) (h keeperapi.Held, ok bool) {
	layers := s.layersOf(n, knob)
	w := winner(layers, 0)
	if w == nil {
		return h, false
	}
	v := w.value
	h = keeperapi.Held{Value: v.Value, Layer: w.scope.Layer(), Scope: w.scope, Revision: v.Revision,
		Guard: v.Guard, Rollout: v.Rollout, Deadline: v.Deadline}
	for end := v.Deadline; end != 0; {
		w = winner(layers, end)
		if w == nil {
			h.Then = append(h.Then, keeperapi.Later{Layer: keeperapi.LayerDefault})
			break
		}
		end = w.value.Deadline
		h.Then = append(h.Then, keeperapi.Later{Value: w.value.Value, Layer: w.scope.Layer(), Scope: w.scope, Deadline: end})
	}
	return h, true
}

// Effective returns all that a node must hold. A node that is not known is in
// the fleet and in its own scope only.
func (s *State) Effective(id string) keeperapi.Effective {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := s.nodeOrStranger(id)
	e := keeperapi.Effective{Node: id, Revision: s.values, Position: s.revision,
		Knobs: make(map[string]keeperapi.Held, len(s.scopes[keeperapi.Fleet]))}
	take := func(knob string) {
		if _, done := e.Knobs[knob]; done {
			return
		}
		if h, ok := s.held(n, knob); ok {
			e.Knobs[knob] = h
		}
	}
	for knob := range s.scopes[keeperapi.Fleet] {
		take(knob)
	}
	for name, value := range n.Labels {
		for knob := range s.scopes[keeperapi.Scope(name+"="+value)] {
			take(knob)
		}
	}
	for knob := range s.scopes[keeperapi.NodeScope(id)] {
		take(knob)
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
	return s.held(s.nodeOrStranger(id), knob)
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
	layers := s.layersOf(n, knob)
	w := winner(layers, 0)
	for _, l := range layers {
		wins := w != nil && l.scope == w.scope
		x.Layers = append(x.Layers, keeperapi.LayerValue{Layer: l.scope.Layer(), Scope: l.scope, Wins: wins, Value: *l.value})
	}
	if w != nil {
		x.Winner, x.Scope, x.Value = w.scope.Layer(), w.scope, w.value.Value
	}
	return x, true
}

func (s *State) nodeOrStranger(id string) *keeperapi.Node {
	if n := s.nodes[id]; n != nil {
		return n
	}
	return &keeperapi.Node{ID: id}
}
