package state

import (
	"fmt"
	"testing"

	"pushfleet/internal/keeperapi"
)

// bigFleet has n nodes of four apps with k knobs. Each knob has a value for
// the fleet, every fifth one for an app; perNode also one for each node.
func bigFleet(b *testing.B, n, k int, perNode bool) *State {
	b.Helper()
	s := New()
	sc := make(keeperapi.Schema, k)
	for i := range sc {
		sc[i] = keeperapi.Decl{Name: fmt.Sprintf("room%d.knob_number_%d_max", i%8, i), Type: "int", Unit: "messages",
			Help: "Bound of messages that wait for one connection.", Default: "512", Min: "16", Max: "65536", Risk: "medium", Acts: "live"}
	}
	for i := range n {
		must(b, s, Command{Op: OpJoin, At: start, Body: joinOf(fmt.Sprintf("gw-%04d", i),
			map[string]string{"app": fmt.Sprintf("app%d", i%4), "region": "eu"}, sc, 60_000)})
	}
	set := func(scope keeperapi.Scope, every int) {
		var t keeperapi.Txn
		for i := 0; i < k; i += every {
			t.Changes = append(t.Changes, keeperapi.Assign{Knob: sc[i].Name, Scope: scope, Value: "1024"})
		}
		must(b, s, Command{Op: OpTxn, At: start, Who: "maria", Why: "baseline", Body: t})
	}
	set(keeperapi.Fleet, 1)
	for app := range 4 {
		set(keeperapi.Scope(fmt.Sprintf("app=app%d", app)), 5)
	}
	for i := range n {
		if perNode {
			set(keeperapi.NodeScope(fmt.Sprintf("gw-%04d", i)), 1)
		}
	}
	return s
}

func BenchmarkApplySet(b *testing.B) {
	s := bigFleet(b, 4000, 60, false)
	cmd := encode(b, Command{Op: OpTxn, At: start, Who: "maria", Why: "INC-311", From: "10.0.0.7", Body: keeperapi.Txn{
		Changes: []keeperapi.Assign{{Knob: "room0.knob_number_0_max", Scope: keeperapi.Fleet, Value: "256"}}}})
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(1, cmd)
	}
}

func BenchmarkApplyReport1000(b *testing.B) {
	s := bigFleet(b, 4000, 60, false)
	var r keeperapi.Report
	for i := range 1000 {
		r.Nodes = append(r.Nodes, keeperapi.NodeReport{ID: fmt.Sprintf("gw-%04d", i), LeaseMS: 60_000, Health: "ok",
			Load: map[string]float64{"conns": 48210, "cpu": 0.38}, Knobs: &keeperapi.Ack{Offered: 3, Applied: 3}})
	}
	cmd := encode(b, Command{Op: OpReport, At: start, Body: r})
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(1, cmd)
	}
}

func BenchmarkEffective4000(b *testing.B) {
	s := bigFleet(b, 4000, 60, false)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 4000 {
			s.Effective(fmt.Sprintf("gw-%04d", i))
		}
	}
}

func BenchmarkHeldBy4000(b *testing.B) {
	s := bigFleet(b, 4000, 60, false)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 4000 {
			s.HeldBy(fmt.Sprintf("gw-%04d", i), "room0.knob_number_0_max")
		}
	}
}

func BenchmarkRolloutStep4000(b *testing.B) {
	s := bigFleet(b, 4000, 60, false)
	start := encode(b, Command{Op: OpRolloutStart, At: start, Body: keeperapi.RolloutStart{Steps: []string{"5%", "all"},
		Changes: []keeperapi.Assign{{Knob: "room1.knob_number_1_max", Scope: keeperapi.Fleet, Value: "256"}}}})
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(1, start)
		r := s.running[0].ID
		s.Apply(2, encode(b, Command{Op: OpRolloutAbort, At: 1, Body: keeperapi.RolloutMove{Rollout: r}}))
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for _, perNode := range []bool{false, true} {
		name := "fleet-values"
		if perNode {
			name = "node-values"
		}
		s := bigFleet(b, 4000, 60, perNode)
		var bytes []byte
		b.Run(name+"/write", func(b *testing.B) {
			for b.Loop() {
				bytes, _ = s.Snapshot()
			}
			b.ReportMetric(float64(len(bytes)), "bytes")
		})
		b.Run(name+"/restore", func(b *testing.B) {
			for b.Loop() {
				if err := New().Restore(bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
