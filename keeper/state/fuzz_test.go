package state

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"pushfleet/internal/keeperapi"
)

// FuzzApply: whatever bytes the log holds, one command a line, nothing panics
// and two members hold the same, one of them restored before every line.
func FuzzApply(f *testing.F) {
	seed := func(cmds ...Command) {
		var all [][]byte
		for _, c := range cmds {
			all = append(all, encode(f, c))
		}
		f.Add(bytes.Join(all, []byte("\n")))
	}
	one := []keeperapi.Assign{{Knob: "tap.on", Scope: "fleet", Value: "on"}}
	join := Command{Op: OpJoin, At: start, Body: joinOf("gw-1", map[string]string{"app": "shop"}, fleetSchema(), 9000)}
	seed(join, Command{Op: OpTxn, At: start, ID: "k", Body: keeperapi.Txn{Changes: one, ForMS: 5}}, Command{Op: OpExpire, At: start + 5})
	seed(join, Command{Op: OpRolloutStart, At: start, Body: keeperapi.RolloutStart{Changes: one, Steps: []string{"1", "0.5%", "all"}}},
		Command{Op: OpRolloutAdvance, At: start, Body: keeperapi.RolloutMove{Rollout: "ro2", Step: 1, Force: true}},
		Command{Op: OpRolloutBreak, At: start, Body: keeperapi.RolloutMove{Rollout: "ro2", Node: "gw-1"}})
	seed(join, Command{Op: OpFreeze, At: start, Why: "x", Body: keeperapi.FreezeSet{Knob: "*"}},
		Command{Op: OpTxn, At: start, Why: "y", Body: keeperapi.Txn{Changes: one, NowAll: true}},
		Command{Op: OpRollback, At: start, Why: "z", Body: keeperapi.Rollback{To: 1, NowAll: true}})
	seed(join, Command{Op: OpReport, At: start, Body: keeperapi.Report{Nodes: []keeperapi.NodeReport{{ID: "gw-1", LeaseMS: 1, Load: map[string]float64{"cpu": 1}}}}},
		Command{Op: OpToken, At: start, Body: keeperapi.TokenSet{Name: "a", Role: "admin", Hash: hashOf("a")}},
		Command{Op: OpLimits, At: start, Body: keeperapi.DefaultLimits()}, Command{Op: OpLeave, At: start, Body: keeperapi.Leave{ID: "gw-1"}})
	f.Fuzz(func(t *testing.T, log []byte) {
		a, b := New(), New()
		for _, cmd := range bytes.Split(log, []byte("\n")) {
			before := snapshot(t, b)
			if err := b.Restore([]byte(before)); err != nil {
				t.Fatal(err)
			}
			if x, y := a.Apply(1, cmd), b.Apply(2, cmd); !bytes.Equal(x, y) {
				t.Fatalf("%s\n%s\n%s", cmd, x, y)
			}
			if snapshot(t, a) != snapshot(t, b) {
				t.Fatalf("the members differ after %s", cmd)
			}
			for _, n := range a.Nodes() {
				a.Effective(n.ID)
				a.Explain(n.ID, "tap.on")
			}
		}
	})
}

// FuzzRestore: damaged snapshots are refused or taken, but nothing panics.
func FuzzRestore(f *testing.F) {
	scripts, _ := filepath.Glob("testdata/*.txt")
	for _, file := range scripts {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	s := New()
	must(f, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, fleetSchema(), 9000)})
	must(f, s, Command{Op: OpRolloutStart, At: start, Body: keeperapi.RolloutStart{Steps: []string{"1", "all"},
		Changes: []keeperapi.Assign{{Knob: "tap.on", Scope: "fleet", Value: "on"}}}})
	f.Add([]byte(snapshot(f, s)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New()
		if s.Restore(b) != nil {
			return
		}
		first := snapshot(t, s)
		again := New()
		if err := again.Restore([]byte(first)); err != nil {
			t.Fatalf("its own snapshot is refused: %v", err)
		}
		if snapshot(t, again) != first {
			t.Fatal("restoring changed the bytes")
		}
		for _, n := range s.Nodes() {
			s.Effective(n.ID)
		}
		s.NextDeadline()
		s.Apply(1, encode(t, Command{Op: OpExpire, At: start}))
	})
}
