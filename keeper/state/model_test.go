package state

import (
	"slices"
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
	guard    string
	before   model // what was there when it was made
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

// scopes are those of a node, the weakest first; of its groups the first by
// name comes last.
func scopes(n keeperapi.Node) []keeperapi.Scope {
	return []keeperapi.Scope{keeperapi.Fleet, keeperapi.Scope("region=" + n.Labels["region"]),
		keeperapi.Scope("app=" + n.Labels["app"]), keeperapi.NodeScope(n.ID)}
}

// best returns what wins on a node of what its scopes say.
func best(says func(keeperapi.Scope) (write, bool), n keeperapi.Node) (best write, found bool) {
	for _, scope := range scopes(n) {
		w, ok := says(scope)
		bothGroups := found && best.Scope.Layer() == keeperapi.LayerGroup && scope.Layer() == keeperapi.LayerGroup
		if ok && (!bothGroups || w.revision >= best.revision) {
			best, found = w, true
		}
	}
	return best, found
}

// value returns what a node holds at a time; Value is "" for the default.
func (m model) value(n keeperapi.Node, knob string, at keeperapi.Time) write {
	w, _ := best(func(scope keeperapi.Scope) (write, bool) { return m.says(scope, knob, at) }, n)
	return w
}

// without returns what a node holds at a time when it gives up what it holds
// now, with all that came with it.
func (m model) without(n keeperapi.Node, knob string, now, at keeperapi.Time) string {
	gone := m.value(n, knob, now)
	w, _ := best(func(scope keeperapi.Scope) (write, bool) {
		if w, ok := m.says(scope, knob, now); ok && w.revision == gone.revision {
			return w.before.says(scope, knob, at)
		}
		return m.says(scope, knob, at)
	}, n)
	return w.Value
}

// after returns what a node that was told h holds at a time, by itself.
func after(h keeperapi.Held, at keeperapi.Time) string {
	return followed(h.Value, h.Deadline, h.Then, at)
}

func followed(value string, end keeperapi.Time, then []keeperapi.Later, at keeperapi.Time) string {
	for _, l := range then {
		if end > at {
			break
		}
		value, end = l.Value, l.Deadline
	}
	return value
}

// TestEffective: what nodes hold is what the model says, now and at each
// moment to come until something else is set; and so is what they go back to
// when a guard breaks.
func TestEffective(t *testing.T) {
	elses := 0
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
				before := slices.Clone(m).expire(c.At)
				for _, a := range b.Changes {
					w := write{Assign: a, revision: got.Revision, guard: b.Guard, before: before}
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
					h := e.Knobs[knob]
					guarded := m.value(n, knob, c.At).guard != ""
					if guarded != (h.Else != nil) {
						t.Fatalf("%s of %s: %+v, guarded %t", knob, n.ID, h, guarded)
					}
					for _, ahead := range []keeperapi.Time{0, 4000, 10_000, 30_000, 100_000} {
						want, is := m.value(n, knob, c.At+ahead).Value, after(h, c.At+ahead)
						if is != want {
							t.Fatalf("%s of %s in %d ms: %q, the model says %q", knob, n.ID, ahead, is, want)
						}
						if !guarded {
							continue
						}
						want, is = m.without(n, knob, c.At, c.At+ahead), followed(h.Else.Value, h.Else.Deadline, h.ElseThen, c.At+ahead)
						if is != want {
							t.Fatalf("%s of %s else in %d ms: %q, the model says %q", knob, n.ID, ahead, is, want)
						}
						elses++
					}
				}
			}
		}
	})
	if elses == 0 {
		t.Error("nothing was guarded: half of the property was not tried")
	}
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
