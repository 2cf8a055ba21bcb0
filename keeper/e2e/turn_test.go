package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pushfleet/internal/keeperapi"
)

const (
	knobQueue = "queue.messages_max"
	knobBytes = "queue.bytes_max"
)

// TestTurn is what an operator does on a good day: set for all, a rollout from
// one node to the end, a rollback; and a node that dies of a value.
func TestTurn(t *testing.T) {
	k := startKeepers(t, newLAN(t), 3)
	c := k.client(patience)
	nodes := startNodes(t, k, 3)

	t.Run("set", func(t *testing.T) {
		out, exit := pushctl(t, k, "n1", "knob", "set", knobQueue, "512", "--why", "memory")
		if exit != 0 || !strings.Contains(out, "3 of 3 nodes in ") || !all(nodes, knobQueue, "512") {
			t.Errorf("exit %d, %d of 3 nodes hold it:\n%s", exit, count(nodes, knobQueue, "512"), out)
		}
		if h := last(t, c, knobQueue); h.Kind != keeperapi.KindSet || h.New.Value != "512" || h.Why != "memory" || h.Who != "tests" {
			t.Errorf("history %+v", h)
		}
		if s := nodes[0].knob(knobQueue); s == nil || !strings.HasPrefix(s.Source, "fleet r") {
			t.Errorf("the node says %+v", s)
		}
	})
	t.Run("rollout", func(t *testing.T) { rolloutToTheEnd(t, c, nodes) })
	t.Run("rollback", func(t *testing.T) { rollBack(t, c, nodes) })
	t.Run("crash", func(t *testing.T) { crashAfterApplying(t, c, nodes) })
}

func rolloutToTheEnd(t *testing.T, c *keeperapi.Client, nodes []*node) {
	r := keeperapi.RolloutRequest{RolloutStart: keeperapi.RolloutStart{
		Changes: []keeperapi.Assign{{Knob: knobQueue, Scope: keeperapi.Fleet, Value: "256"}},
		Steps:   []string{"1", "50%", "all"}, SoakMS: 1500, Guard: "drops.10s < 5/s"}, Ask: keeperapi.Ask{Why: "try", WaitMS: 10_000}}
	a, err := c.StartRollout(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	// While the first step soaks, one node holds the value and two do not.
	if a.Applied == nil || a.Applied.Applied != 1 || a.Applied.Of != 1 {
		t.Errorf("first step: %+v", a.Applied)
	}
	eventually(t, "the rollout is done", func() bool {
		// Never do more nodes hold the value than the rollout has reached then.
		have := count(nodes, knobQueue, "256")
		i, err := c.Rollout(t.Context(), a.Rollout, keeperapi.Read{})
		if err != nil {
			return false
		}
		if i.Phase == keeperapi.PhaseRunning && have > len(i.Reached) {
			t.Errorf("%d nodes hold the value, the rollout has reached %d", have, len(i.Reached))
		}
		return i.Phase == keeperapi.PhaseDone
	})
	eventually(t, "all nodes hold it", func() bool { return all(nodes, knobQueue, "256") })
	x, err := c.Knob(t.Context(), knobQueue, keeperapi.Read{})
	if err != nil || len(x.Values) != 1 || x.Values[0].Scope != keeperapi.Fleet || x.Values[0].Value.Value != "256" {
		t.Errorf("afterwards %+v, %v", x, err)
	}
	if h := last(t, c, knobQueue); h.Kind != keeperapi.KindRolloutDone {
		t.Errorf("history %+v", h)
	}
}

func rollBack(t *testing.T, c *keeperapi.Client, nodes []*node) {
	before := must(t, c, set(keeperapi.Fleet, knobQueue, "300", knobBytes, "512KiB"))
	must(t, c, set(keeperapi.Fleet, knobQueue, "301"))
	must(t, c, set("node=n2", knobBytes, "256KiB"))
	if !nodes[1].holds(knobBytes, "256KiB") || !all(nodes, knobQueue, "301") {
		t.Error("the values to roll back are not there")
	}
	a, err := c.Rollback(t.Context(), keeperapi.RollbackRequest{Rollback: keeperapi.Rollback{To: before.Revision}, Ask: keeperapi.Ask{Why: "worse", WaitMS: 10_000}})
	if err != nil {
		t.Fatal(err)
	}
	if a.Revision <= before.Revision || !all(nodes, knobQueue, "300") || !all(nodes, knobBytes, "512KiB") {
		t.Errorf("r%d: %d and %d of 3 nodes are back", a.Revision, count(nodes, knobQueue, "300"), count(nodes, knobBytes, "512KiB"))
	}
	if h := last(t, c, knobQueue); h.Kind != keeperapi.KindRollback || h.Revision != a.Revision {
		t.Errorf("history %+v", h)
	}
}

// crashAfterApplying: a node that dies at once after a value came comes back
// without it and says so, and takes the next one.
func crashAfterApplying(t *testing.T, c *keeperapi.Client, nodes []*node) {
	n := nodes[2]
	settled(t, n)
	a := must(t, c, set(keeperapi.Fleet, knobQueue, "77"))
	if !all(nodes, knobQueue, "77") {
		t.Fatal("the nodes do not hold the value")
	}
	n.proc.kill()
	n.run()
	eventually(t, "the node is back on the value before", func() bool { return n.holds(knobQueue, "300") && n.drifts(knobQueue, keeperapi.DriftCrash) })
	eventually(t, "the log says so", func() bool { return n.proc.logged("came back on") })
	eventually(t, "the keepers are told", func() bool {
		ns, err := c.Nodes(t.Context(), keeperapi.Read{})
		for i := range ns {
			if k := ns[i].Knobs; err == nil && ns[i].ID == n.id && !ns[i].Current && k.Nacked == a.Revision && strings.Contains(k.Reason, "died") {
				return true
			}
		}
		return false
	})
	if !n.holds(knobQueue, "300") || count(nodes, knobQueue, "77") != 2 {
		t.Error("the value came back, or went elsewhere")
	}
	must(t, c, set(keeperapi.Fleet, knobQueue, "78"))
	eventually(t, "the node takes the next value", func() bool { return all(nodes, knobQueue, "78") })
}

// settled waits until a node has lived with what it holds for its time of
// probation: only then a crash is not blamed on it.
func settled(t *testing.T, n *node) {
	t.Helper()
	eventually(t, n.id+" has lived with its values", func() bool {
		text, err := os.ReadFile(filepath.Join(n.dir, "knobs.json"))
		return err == nil && !strings.Contains(string(text), "young_ms")
	})
}
