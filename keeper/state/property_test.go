package state

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

func hashOf(digit string) string { return strings.Repeat(digit, 64) }

// bytesOf is a snapshot inside a property.
func bytesOf(t *rapid.T, s *State) string {
	b, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (r *teller) run(s *State, c Command) keeperapi.Result {
	b, err := Encode(c)
	if err != nil {
		r.t.Fatal(err)
	}
	var out keeperapi.Result
	if err := json.Unmarshal(s.Apply(0, b), &out); err != nil {
		r.t.Fatal(err)
	}
	r.rev = s.Revision()
	return out
}

// TestReplay: a member that was restored in the middle ends with the same
// bytes as one that applied everything.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, whole, part := newTeller(t), New(), New()
		for range r.number("commands", 1, 60) {
			c := r.command(allOps...)
			first := r.run(whole, c)
			if diff := cmp.Diff(first, r.run(part, c)); diff != "" {
				t.Fatalf("%s answered otherwise:\n%s", c.Op, diff)
			}
			if r.number("restore", 0, 9) == 0 {
				fresh := New()
				if err := fresh.Restore([]byte(bytesOf(t, part))); err != nil {
					t.Fatal(err)
				}
				part = fresh
			}
			if a, b := bytesOf(t, whole), bytesOf(t, part); a != b {
				t.Fatalf("after %s the bytes differ:\n%s", c.Op, cmp.Diff(a, b))
			}
		}
	})
}

// TestRefusalChangesNothing, and Check foretells it without a trace.
func TestRefusalChangesNothing(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		for range r.number("commands", 1, 40) {
			c := r.command(allOps...)
			before := bytesOf(t, s)
			text, err := Encode(c)
			if err != nil {
				t.Fatal(err)
			}
			foretold := s.Check(text)
			if bytesOf(t, s) != before {
				t.Fatalf("Check of %s changed the state", c.Op)
			}
			got := r.run(s, c)
			if (foretold.Error == nil) != (got.Error == nil) {
				t.Fatalf("Check of %s says %v, Apply %v", c.Op, foretold.Error, got.Error)
			}
			if got.Error == nil {
				continue
			}
			refused++
			if diff := cmp.Diff(before, bytesOf(t, s)); diff != "" {
				t.Fatalf("refused %s (%s) changed the state:\n%s", c.Op, got.Error.Message, diff)
			}
		}
	})
	if refused == 0 {
		t.Error("nothing was refused: the property was not tried")
	}
}

// TestRetryIsAppliedOnce: the same key gives the same answer and nothing else.
func TestRetryIsAppliedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		for range r.number("commands", 1, 40) {
			c := r.command(allOps...)
			c.ID = ""
			if c.Op != OpLimits { // may forget the key at once
				c.ID = "k" + string(rune('a'+r.n%26)) + strings.Repeat("x", r.n/26)
			}
			first := r.run(s, c)
			if first.Error != nil || c.ID == "" {
				continue
			}
			before := bytesOf(t, s)
			c.At += 7 // another leader stamps another time
			if diff := cmp.Diff(first, r.run(s, c)); diff != "" {
				t.Fatalf("the retry of %s was answered otherwise:\n%s", c.Op, diff)
			}
			if bytesOf(t, s) != before {
				t.Fatalf("the retry of %s changed the state", c.Op)
			}
		}
	})
}

// TestWatcher: whoever asks again only about the knobs and nodes that events
// touch always knows what each node must hold.
func TestWatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		known := map[string]map[string]keeperapi.Held{}
		at := uint64(0)
		for range r.number("commands", 1, 80) {
			c := r.command(allOps...)
			if c.Op == OpLimits {
				continue // a short ring sends the watcher to a whole state
			}
			r.run(s, c)
			events, ok := s.Since(at)
			if !ok {
				t.Fatalf("the events after r%d are gone", at)
			}
			at = s.Revision()
			follow(s, known, events)
			for _, n := range s.Nodes() {
				if diff := cmp.Diff(s.Effective(n.ID).Knobs, known[n.ID]); diff != "" {
					t.Fatalf("after %s the watcher of %s is wrong:\n%s", c.Op, n.ID, diff)
				}
			}
		}
	})
}

func follow(s *State, known map[string]map[string]keeperapi.Held, events []keeperapi.Event) {
	for _, e := range events {
		if e.Kind == keeperapi.KindNodeJoined {
			known[e.Node] = s.Effective(e.Node).Knobs
		}
		for _, n := range s.Nodes() {
			if !e.Touches(n.ID, n.Labels) || known[n.ID] == nil {
				continue
			}
			if h, ok := s.HeldBy(n.ID, e.Knob); ok {
				known[n.ID][e.Knob] = h
			} else {
				delete(known[n.ID], e.Knob)
			}
		}
	}
}

// TestExpiryOrder: values end in the order of their deadlines, all that are
// due and no others.
func TestExpiryOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		for range 6 {
			r.run(s, r.command(OpJoin))
		}
		for range r.number("commands", 1, 40) {
			deadlines := map[place]keeperapi.Time{}
			for scope, knobs := range s.Values() {
				for knob, v := range knobs {
					deadlines[place{scope, knob}] = v.Deadline
				}
			}
			at := s.Revision()
			c := r.command(OpTxn, OpTxn, OpExpire)
			if r.run(s, c); c.Op != OpExpire {
				continue
			}
			events, _ := s.Since(at)
			last := keeperapi.Time(0)
			for _, e := range events {
				if e.Kind != keeperapi.KindExpired {
					continue
				}
				d := deadlines[place{e.Scope, e.Knob}]
				if d == 0 || d > c.At || d < last {
					t.Fatalf("%s on %s ended at %d with deadline %d, after one of %d", e.Knob, e.Scope, c.At, d, last)
				}
				last = d
			}
			for scope, knobs := range s.Values() {
				for knob, v := range knobs {
					if v.Deadline != 0 && v.Deadline <= c.At {
						t.Fatalf("%s on %s outlived its deadline", knob, scope)
					}
				}
			}
			if next := s.NextDeadline(); next != 0 && next <= c.At {
				t.Fatalf("something is due at %d after an expiry at %d", next, c.At)
			}
		}
	})
}
