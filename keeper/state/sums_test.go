package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/keeperapi"
)

func TestSums(t *testing.T) {
	s := New()
	f := func(want Sums) {
		t.Helper()
		if d := cmp.Diff(want, s.Sums()); d != "" {
			t.Error(d)
		}
	}
	set := func(at keeperapi.Time, scope keeperapi.Scope, knob, value string, forMS int64) {
		t.Helper()
		must(t, s, Command{Op: OpTxn, At: at, Who: "jo", Body: keeperapi.Txn{ForMS: forMS,
			Changes: []keeperapi.Assign{{Knob: knob, Scope: scope, Value: value}}}})
	}
	f(Sums{Values: map[keeperapi.Layer]int{}})
	for _, id := range []string{"gw-1", "gw-2"} {
		must(t, s, Command{Op: OpJoin, At: start, Body: joinOf(id, map[string]string{"app": "shop"}, fleetSchema(), 3600_000)})
	}
	set(start, keeperapi.Fleet, "tap.on", "on", 0)
	set(start+10, keeperapi.NodeScope("gw-1"), "queue.messages_max", "99", 60_000)
	f(Sums{Values: map[keeperapi.Layer]int{keeperapi.LayerFleet: 1, keeperapi.LayerNode: 1}, Temporary: 1})
	set(start+20, keeperapi.NodeScope("gw-1"), "queue.policy", "coalesce", 0)
	set(start+30, keeperapi.NodeScope("gw-2"), "queue.policy", "coalesce", 0)
	set(start+30, "app=shop", "queue.policy", "disconnect", 0)
	must(t, s, Command{Op: OpFreeze, At: start + 40, Who: "jo", Why: "show", Body: keeperapi.FreezeSet{Knob: "tap.on"}})
	must(t, s, Command{Op: OpRolloutStart, At: start + 50, Who: "jo", Body: keeperapi.RolloutStart{SoakMS: 1000,
		Changes: []keeperapi.Assign{{Knob: "heartbeat.ping", Scope: keeperapi.Fleet, Value: "30s"}}, Steps: []string{"1", "all"}}})
	f(Sums{Values: map[keeperapi.Layer]int{keeperapi.LayerFleet: 1, keeperapi.LayerGroup: 1, keeperapi.LayerNode: 3},
		NodeValue: start + 20, Temporary: 1, Freezes: 1, Rollouts: 1, Rollout: start + 50, Soaked: start + 1050})
}
