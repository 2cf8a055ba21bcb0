package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pushfleet/internal/keeperapi"
)

// restore is one place and what it goes back to.
type restore struct {
	place
	to *keeperapi.Value
}

// judgeRollback makes values what they were at a revision.
func (s *State) judgeRollback(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.Rollback](c)
	if no != nil {
		return nil, no
	}
	if no := s.judgeFrame(c, 0, "", b.NowAll); no != nil {
		return nil, no
	}
	if no := s.judgeIfRev(b.IfRev); no != nil {
		return nil, no
	}
	back, no := s.restores(c, b)
	if no != nil {
		return nil, no
	}
	return func(t *turn) keeperapi.Result {
		t.what = fmt.Sprintf("rollback to r%d", b.To)
		if b.NowAll {
			for _, r := range back {
				if ro := s.rolloutOf(r.knob); ro != nil {
					s.endRollout(t, ro, keeperapi.PhaseAborted, t.Who, "break-glass rollback of its knob")
				}
			}
		}
		for _, r := range back {
			s.change(t, keeperapi.KindRollback, r.place, restored(t, r.to))
		}
		return keeperapi.Result{Changed: len(back)}
	}, nil
}

// restored is the old value under the new revision, with who restored it. A
// temporary one keeps its deadline and what lies below.
func restored(t *turn, old *keeperapi.Value) *keeperapi.Value {
	if old == nil {
		return nil
	}
	v := *old
	v.Revision, v.Who, v.At, v.Why, v.From = t.revision, t.Who, t.At, t.Why, t.From
	return &v
}

// restores finds the places that differ from the revision and checks that they
// may go back.
func (s *State) restores(c *command, b *keeperapi.Rollback) ([]restore, *keeperapi.Error) {
	if b.To > s.revision {
		return nil, refuse(keeperapi.CodeHistory, "r%d is yet to come, the keepers are at r%d: see pushctl knob history", b.To, s.revision)
	}
	knobs := b.Knobs
	if len(knobs) == 0 {
		knobs = slices.Sorted(maps.Keys(s.history))
	} else {
		knobs = slices.Compact(slices.Sorted(slices.Values(knobs)))
	}
	var back []restore
	for _, knob := range knobs {
		h := s.history[knob]
		if h == nil {
			return nil, refuseKnob(keeperapi.CodeHistory, shortened(knob), "nothing was ever set for %q: see pushctl knob list", shortened(knob))
		}
		if h.Last <= b.To {
			continue
		}
		if b.To < h.Floor {
			return nil, refuseKnob(keeperapi.CodeHistory, knob,
				"the history of %s reaches back to r%d, not to r%d: set it by hand", knob, h.Floor, b.To)
		}
		of, no := s.restoresOf(c, b, knob, h)
		if no != nil {
			return nil, no
		}
		back = append(back, of...)
	}
	return back, nil
}

// restoresOf looks at one knob: what the first change after the revision
// replaced is what was there.
func (s *State) restoresOf(c *command, b *keeperapi.Rollback, knob string, h *history) ([]restore, *keeperapi.Error) {
	then := map[keeperapi.Scope]*keeperapi.Value{}
	for _, ch := range slices.Backward(h.Changes) {
		if ch.Revision <= b.To {
			break
		}
		if ch.Scope.Layer() != keeperapi.LayerCanary {
			then[ch.Scope] = ch.Old
		}
	}
	var back []restore
	for _, scope := range slices.SortedFunc(maps.Keys(then), cmp.Compare) {
		to := stillAt(then[scope], c.At)
		if same(to, s.at(place{scope, knob})) {
			continue
		}
		if no := s.judgeRestore(c, b, keeperapi.Assign{Knob: knob, Scope: scope, Value: text(to), Unset: to == nil}); no != nil {
			return nil, no
		}
		back = append(back, restore{place{scope, knob}, to})
	}
	return back, nil
}

// judgeRestore lets a value return to a node that has left; otherwise it is a
// set like any other.
func (s *State) judgeRestore(c *command, b *keeperapi.Rollback, a keeperapi.Assign) *keeperapi.Error {
	if _, id := a.Scope.Label(); a.Scope.Layer() == keeperapi.LayerNode && s.nodes[id] == nil {
		if no := s.judgeMoved(a.Knob, b.IfRev); no != nil || b.NowAll {
			return no
		}
		return s.judgeHeldStill(a.Knob)
	}
	return s.judgeOne(c, a, b.IfRev, b.NowAll)
}

// same compares what two values say, not who said it.
func same(a, b *keeperapi.Value) bool {
	for a != nil && b != nil {
		if a.Value != b.Value || a.Deadline != b.Deadline || a.Guard != b.Guard {
			return false
		}
		a, b = a.Before, b.Before
	}
	return a == nil && b == nil
}
