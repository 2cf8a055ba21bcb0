package state

import (
	"maps"
	"slices"
	"strings"

	"pushfleet/internal/keeperapi"
)

// judgeFreeze holds a knob or all of them still, or lets go.
func (s *State) judgeFreeze(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.FreezeSet](c)
	if no != nil {
		return nil, no
	}
	if b.Off {
		if s.freezes[b.Knob] == nil {
			return nil, refuseKnob(keeperapi.CodeFrozen, shortened(b.Knob), "%s is not frozen: see pushctl knob list", shortened(b.Knob))
		}
		return func(t *turn) keeperapi.Result {
			t.what = "thaw " + b.Knob
			delete(s.freezes, b.Knob)
			t.tell(keeperapi.Event{Kind: keeperapi.KindThaw, Knob: b.Knob})
			return keeperapi.Result{}
		}, nil
	}
	if b.Knob != keeperapi.AllKnobs && !s.known(b.Knob) {
		return nil, refuseKnob(keeperapi.CodeUnknownKnob, shortened(b.Knob), "no node declares a knob %q: see pushctl knob list", shortened(b.Knob))
	}
	if strings.TrimSpace(c.Why) == "" {
		return nil, refuseKnob(keeperapi.CodeReason, b.Knob, "a freeze needs a reason, for whoever meets it: add --why TEXT")
	}
	if f := s.freezes[b.Knob]; f != nil {
		return nil, refuseKnob(keeperapi.CodeExists, b.Knob, "%s is frozen by %s already: %s; ask them, or thaw it first", b.Knob, orSomebody(f.Who), f.Why)
	}
	return func(t *turn) keeperapi.Result {
		t.what = "freeze " + b.Knob
		s.freezes[b.Knob] = &keeperapi.Freeze{Knob: b.Knob, Who: t.Who, At: t.At, Why: t.Why, From: t.From}
		t.tell(keeperapi.Event{Kind: keeperapi.KindFreeze, Knob: b.Knob})
		return keeperapi.Result{}
	}, nil
}

// known tells whether a node declares the knob.
func (s *State) known(knob string) bool {
	for _, sc := range s.schemas {
		if sc.knobs[knob] != nil {
			return true
		}
	}
	return false
}

// frozen returns the freeze that holds the knob, or nil.
func (s *State) frozen(knob string) *keeperapi.Freeze {
	f := s.freezes[knob]
	if f == nil {
		f = s.freezes[keeperapi.AllKnobs]
	}
	if f == nil {
		return nil
	}
	c := *f
	return &c
}

// Freezes returns what is held still, by name.
func (s *State) Freezes() []keeperapi.Freeze {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []keeperapi.Freeze
	for _, name := range slices.Sorted(maps.Keys(s.freezes)) {
		out = append(out, *s.freezes[name])
	}
	return out
}
