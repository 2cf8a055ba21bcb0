package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

// TestPreviewTellsWhatApplyDoes, for every node, and leaves no trace.
func TestPreviewTellsWhatApplyDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		for range r.number("commands", 1, 30) {
			c := r.command(OpTxn, OpTxn, OpTxn, OpExpire, OpRollback, OpRolloutStart, OpRolloutAdvance, OpRolloutAbort, OpJoin)
			text, err := Encode(c)
			if err != nil {
				t.Fatal(err)
			}
			bytes, before := bytesOf(t, s), values(s)
			f, err := s.Preview(text)
			foretold, diff := f.Result, f.Diff
			if err != nil || bytesOf(t, s) != bytes {
				t.Fatalf("preview of %s: %v", c.Op, err)
			}
			if d := cmp.Diff(r.run(s, c), foretold); d != "" {
				t.Fatalf("%s is answered otherwise:\n%s", c.Op, d)
			}
			if c.Op == OpJoin {
				continue // new labels, not a change of values
			}
			for _, d := range diff {
				if before[[2]string{d.Node, d.Knob}] != d.Old {
					t.Fatalf("the preview takes %+v for the old value", d)
				}
				before[[2]string{d.Node, d.Knob}] = d.New
			}
			for key, is := range values(s) {
				if before[key] != is {
					t.Fatalf("%v is %q after %s, the preview says %q", key, is, c.Op, before[key])
				}
			}
		}
	})
}

// values is what every node holds of the knobs it declares.
func values(s *State) map[[2]string]string {
	out := map[[2]string]string{}
	for _, n := range s.Nodes() {
		for knob := range s.schemas[n.Schema].knobs {
			h, _ := s.HeldBy(n.ID, knob)
			out[[2]string{n.ID, knob}] = h.Value
		}
	}
	return out
}

func TestPreviewNamesTheNodes(t *testing.T) {
	s := New()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", map[string]string{"app": "shop"}, fleetSchema(), 9000)})
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-2", nil, fleetSchema(), 9000)})
	set := func(scope keeperapi.Scope, value string) Command {
		return Command{Op: OpTxn, At: start, Body: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: "tap.sample", Scope: scope, Value: value}}}}
	}
	must(t, s, set("node=gw-1", "1%"))
	f, err := s.Preview(encode(t, set("fleet", "5%")))
	r, diff := f.Result, f.Diff
	want := []keeperapi.NodeDiff{{Node: "gw-2", Knob: "tap.sample", New: "5%", NewScope: "fleet"}}
	if err != nil || r.Error != nil || !cmp.Equal(diff, want) {
		t.Errorf("%+v, %v: %+v", r, err, diff)
	}
	if f, _ := s.Preview(encode(t, set("fleet", "500%"))); f.Result.Error == nil || f.Diff != nil {
		t.Errorf("%+v %+v", r, diff)
	}
}
