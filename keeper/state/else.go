package state

import "pushfleet/internal/keeperapi"

// later returns what follows from a deadline on, each until its own; 0 is never
// followed.
func later(layers []layer, end keeperapi.Time) (out []keeperapi.Later) {
	for end != 0 {
		l := laterAt(layers, end)
		out = append(out, l)
		end = l.Deadline
	}
	return out
}

// laterAt is what a node holds at a time, if nothing is set until then.
func laterAt(layers []layer, at keeperapi.Time) keeperapi.Later {
	w, ok := winner(layers, at)
	if !ok {
		return keeperapi.Later{Layer: keeperapi.LayerDefault}
	}
	return keeperapi.Later{Value: w.value.Value, Layer: w.scope.Layer(), Scope: w.scope, Deadline: w.value.Deadline}
}

// without returns what the node would hold without the winner: without a
// canary's layer, or with all taken back that came with a guarded value under
// the same guard: what came in one transaction goes as one.
func without(layers []layer, w layer) (*keeperapi.Later, []keeperapi.Later) {
	rest := make([]layer, 0, len(layers))
	for _, l := range layers {
		together := w.value.Guard != "" && l.value.Guard == w.value.Guard && l.value.Revision == w.value.Revision
		if l.scope == w.scope || together {
			l.value = l.value.Under // a canary's has none
		}
		if l.value != nil {
			rest = append(rest, l)
		}
	}
	first := laterAt(rest, 0)
	return &first, later(rest, first.Deadline)
}

// under is what a new value with a guard keeps of the one that it replaces, nil
// without a guard. What had ended by then is left out; what ends later keeps
// its deadline.
func under(old *keeperapi.Value, v *keeperapi.Value) *keeperapi.Value {
	if v.Guard == "" {
		return nil
	}
	return bare(stillAt(old, v.At))
}

// bare copies a value and what lies below it, without what is under these:
// otherwise guarded values would pile up.
func bare(v *keeperapi.Value) *keeperapi.Value {
	if v == nil {
		return nil
	}
	c := *v
	c.Before, c.Under = bare(v.Before), nil
	return &c
}
