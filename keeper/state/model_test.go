package state

import (
	"testing"

	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

// model is the naive form of layers: every assignment that was ever made, read
// from the end.
type model []write

type write struct {
	keeperapi.Assign
	revision uint64
	deadline keeperapi.Time
}

// says returns what a scope says about a knob at a time.
func (m model) says(scope keeperapi.Scope, knob string, at keeperapi.Time) (write, bool) {
	for i := len(m) - 1; i >= 0; i-- {
		w := m[i]
		if w.Scope != scope || w.Knob != knob {
			continue
		}
		if w.Unset {
			return w, false
		}
		if w.deadline == 0 || w.deadline > at {
			return w, true
		}
	}
	return write{}, false
}

// value returns what a node holds at a time; "" for the default.
func (m model) value(n keeperapi.Node, knob string, at keeperapi.Time) string {
	if w, ok := m.says(keeperapi.NodeScope(n.ID), knob, at); ok {
		return w.Value
	}
	best, found := write{}, false
	for _, name := range []string{"app", "region"} { // the order of names
		w, ok := m.says(keeperapi.Scope(name+"="+n.Labels[name]), knob, at)
		if ok && (!found || w.revision > best.revision) {
			best, found = w, true
		}
	}
	if found {
		return best.Value
	}
	w, ok := m.says(keeperapi.Fleet, knob, at)
	if ok {
		return w.Value
	}
	return ""
}

// after returns what a node that was told h holds at a time, by itself.
func after(h keeperapi.Held, at keeperapi.Time) string {
	value, end := h.Value, h.Deadline
	for _, l := range h.Then {
		if end > at {
			break
		}
		value, end = l.Value, l.Deadline
	}
	return value
}

// TestEffective: what nodes hold is what the model says, now and at each
// moment to come until something else is set.
func TestEffective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		var m model
		for range 6 {
			r.run(s, r.command(OpJoin))
		}
		for range r.number("commands", 1, 40) {
			c := r.command(OpTxn, OpTxn, OpTxn, OpJoin, OpExpire)
			got := r.run(s, c)
			if b, ok := c.Body.(keeperapi.Txn); ok && got.Error == nil {
				for _, a := range b.Changes {
					w := write{Assign: a, revision: got.Revision}
					if b.ForMS > 0 && !a.Unset {
						w.deadline = c.At + keeperapi.Time(b.ForMS)
					}
					m = append(m, w)
				}
			}
			// The fleet has its time from the leader: expire, then look ahead.
			r.run(s, Command{Op: OpExpire, At: c.At})
			m = m.expire(c.At)
			for _, n := range s.Nodes() {
				e := s.Effective(n.ID)
				for _, knob := range []string{"queue.messages_max", "heartbeat.ping", "tap.on"} {
					for _, ahead := range []keeperapi.Time{0, 4000, 10_000, 30_000, 100_000} {
						want, is := m.value(n, knob, c.At+ahead), after(e.Knobs[knob], c.At+ahead)
						if is != want {
							t.Fatalf("%s of %s in %d ms: %q, the model says %q", knob, n.ID, ahead, is, want)
						}
					}
				}
			}
		}
	})
}

// expire forgets what is over, so that a clock that goes back does not wake it.
func (m model) expire(at keeperapi.Time) (kept model) {
	for _, w := range m {
		if w.Unset || w.deadline == 0 || w.deadline > at {
			kept = append(kept, w)
		}
	}
	return kept
}
