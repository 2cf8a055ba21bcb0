package state

import (
	"pushfleet/internal/keeperapi"
)

// temporaryMax bounds how many temporary values of one scope wait under each
// other.
const temporaryMax = 8

// history is what happened to one knob.
type history struct {
	Last    uint64             `json:"last"`            // revision of the last change
	Floor   uint64             `json:"floor,omitempty"` // of the newest change forgotten
	Changes []keeperapi.Change `json:"changes,omitempty"`
}

func (s *State) at(p place) *keeperapi.Value { return s.scopes[p.scope][p.knob] }

// put makes v the value of a place, nil for none, and keeps the indices.
func (s *State) put(p place, v *keeperapi.Value) {
	knobs := s.scopes[p.scope]
	_, had := knobs[p.knob]
	delete(s.ending, p)
	if v == nil {
		if had {
			s.count--
			if delete(knobs, p.knob); len(knobs) == 0 {
				delete(s.scopes, p.scope)
			}
		}
		return
	}
	if knobs == nil {
		knobs = map[string]*keeperapi.Value{}
		s.scopes[p.scope] = knobs
	}
	if !had {
		s.count++
	}
	knobs[p.knob] = v
	if v.Deadline != 0 {
		s.ending[p] = v.Deadline
	}
}

// change puts v, writes the history and tells the event.
func (s *State) change(t *turn, kind keeperapi.Kind, p place, v *keeperapi.Value) {
	old := s.at(p)
	if v != nil && v.Revision == t.revision {
		v.Under = under(old, v)
	}
	s.put(p, v)
	c := keeperapi.Change{Revision: t.revision, Kind: kind, Scope: p.scope, Old: old, New: v, At: t.At}
	e := keeperapi.Event{Kind: kind, Knob: p.knob, Scope: p.scope}
	if old != nil {
		e.Old = old.Value
	}
	if v != nil {
		e.Value, e.Deadline = v.Value, v.Deadline
	}
	s.record(t, p.knob, c)
	t.tell(e)
}

// record appends to a knob's history. What nobody did (an expiry) has no who.
func (s *State) record(t *turn, knob string, c keeperapi.Change) {
	if t.what != "" {
		c.Who, c.Why, c.From = t.Who, t.Why, t.From
	}
	h := s.history[knob]
	if h == nil {
		h = &history{}
		s.history[knob] = h
	}
	h.Last = t.revision
	h.Changes = append(h.Changes, c)
	h.trim(s.limits.History)
}

func (h *history) trim(limit int) {
	if over := len(h.Changes) - limit; over > 0 {
		h.Floor = h.Changes[over-1].Revision
		h.Changes = keepLast(h.Changes, limit)
	}
}

// stillAt returns what is left of a value at a time: the first below it whose
// deadline has not passed.
func stillAt(v *keeperapi.Value, at keeperapi.Time) *keeperapi.Value {
	for v != nil && v.Deadline != 0 && v.Deadline <= at {
		v = v.Before
	}
	return v
}

// above lays a new value over an old one. What would end no later than the new
// one can never return, so it goes; that keeps deadlines growing downwards.
func above(old *keeperapi.Value, v keeperapi.Value) *keeperapi.Value {
	v.Before = nil
	if v.Deadline != 0 {
		v.Before = stillAt(old, max(v.Deadline, v.At))
	}
	return &v
}

func depth(v *keeperapi.Value) (n int) {
	for ; v != nil; v = v.Before {
		n++
	}
	return n
}

func text(v *keeperapi.Value) string {
	if v == nil {
		return ""
	}
	return v.Value
}
