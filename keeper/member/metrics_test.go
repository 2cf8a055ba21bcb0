package member_test

import (
	"net/http"
	"testing"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/prom"
	"pushfleet/internal/prom/promtest"
)

// Each keeper tells of itself; the leader of the nodes too.
func TestMetrics(t *testing.T) {
	k, c, _ := fleet(t, 3, 2)
	if _, err := c.Txn(t.Context(), set(keeperapi.NodeScope("gw-1"), "queue.messages_max", "99")); err != nil {
		t.Fatal(err)
	}
	page := func(i int) *promtest.Page {
		t.Helper()
		status, body := k.Get(t, i, "/metrics")
		x := promtest.Read(body, "version", "go", "state", "layer", "result")
		if status != http.StatusOK || len(x.Problems) > 0 {
			t.Fatalf("%d: %v", status, x.Problems)
		}
		return x
	}
	var leader int
	eventually(t, "the leader tells of nodes, members and commands", func() bool {
		leader = k.Leader()
		x, ok := page(leader), true
		for series, want := range map[string]float64{"keeper_leader": 1, "keeper_has_leader": 1,
			`keeper_nodes{state="current"}`: 2, "keeper_sessions": 2, `keeper_members{state="ok"}`: 3,
			`keeper_values{layer="node"}`: 1, "keeper_leader_contact_seconds": 0, "keeper_drift_knobs": 0} {
			v, there := x.Value(series)
			ok = ok && there && v == want
		}
		for _, series := range []string{"keeper_proposal_seconds_count", "keeper_log_appends_total", "keeper_log_append_seconds_total",
			"keeper_commits_total", "keeper_elections_total", "keeper_revision", "keeper_values_revision", "keeper_disk_free_bytes", "process_cpu_seconds_total", "go_gc_cycles_total"} {
			v, _ := x.Value(series)
			ok = ok && v > 0
		}
		return ok
	})
	eventually(t, "a follower knows the leader and the state", func() bool {
		x := page((k.Leader() + 1) % 3)
		leads, _ := x.Value("keeper_leader")
		has, _ := x.Value("keeper_has_leader")
		values, _ := x.Value(`keeper_values{layer="node"}`)
		sessions, _ := x.Value("keeper_sessions")
		return leads == 0 && has == 1 && values == 1 && sessions == 0
	})
	// A gateway puts the page of the member inside behind its own.
	p := prom.New(new(prom.Floor))
	k.Member(leader).Metrics(p)
	if x := promtest.Read(string(p.Bytes()), "version", "go", "state", "layer", "result"); len(x.Problems) > 0 {
		t.Error(x.Problems)
	} else if _, ok := x.Value("process_cpu_seconds_total"); ok {
		t.Error("a member inside tells of the process, which is the gateway's")
	}
}
