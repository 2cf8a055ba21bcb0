package member_test

import (
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

func rollout(value, guard string, soak time.Duration, steps ...string) keeperapi.RolloutRequest {
	return keeperapi.RolloutRequest{RolloutStart: keeperapi.RolloutStart{
		Changes: []keeperapi.Assign{{Knob: "queue.messages_max", Scope: keeperapi.Fleet, Value: value}},
		Steps:   steps, SoakMS: soak.Milliseconds(), Guard: guard}, Ask: keeperapi.Ask{Why: "try", WaitMS: 5000}}
}

func phaseOf(t *testing.T, c *keeperapi.Client, id string) *keeperapi.RolloutInfo {
	t.Helper()
	i, err := c.Rollout(t.Context(), id, keeperapi.Read{})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func holding(nodes []*node, value string) (n int) {
	for _, x := range nodes {
		if x.value("queue.messages_max") == value {
			n++
		}
	}
	return n
}

func TestRolloutGoesToTheEnd(t *testing.T) {
	_, c, nodes := fleet(t, 3, 4)
	a, err := c.StartRollout(t.Context(), rollout("256", "", 300*time.Millisecond, "1", "50%", "all"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Applied.Of != 1 || a.Applied.Applied != 1 {
		t.Errorf("first step: %+v", a.Applied)
	}
	steps := map[int]bool{}
	eventually(t, "the rollout is done", func() bool {
		have := holding(nodes, "256") // and not more than what it has reached then
		i := phaseOf(t, c, a.Rollout)
		if i.Phase == keeperapi.PhaseRunning && have > len(i.Reached) {
			t.Errorf("%d nodes hold it, %d are reached", have, len(i.Reached))
		}
		steps[i.Step] = true
		return i.Phase == keeperapi.PhaseDone
	})
	if !steps[2] {
		t.Errorf("it went through steps %v", steps)
	}
	eventually(t, "all hold it", func() bool { return holding(nodes, "256") == 4 })
	k, err := c.Knob(t.Context(), "queue.messages_max", keeperapi.Read{})
	if err != nil || len(k.Values) != 1 || k.Values[0].Scope != keeperapi.Fleet || k.Values[0].Value.Value != "256" {
		t.Errorf("afterwards %+v, %v", k, err)
	}
}

func TestRolloutEndsWhenItsGuardBreaks(t *testing.T) {
	_, c, nodes := fleet(t, 1, 3)
	for _, n := range nodes {
		n.mu.Lock()
		n.figures = map[string]float64{"drops.10s": 0.5}
		n.mu.Unlock()
	}
	a, err := c.StartRollout(t.Context(), rollout("256", "drops.10s < 5/s", time.Minute, "1", "all"))
	if err != nil {
		t.Fatal(err)
	}
	var canary *node
	for _, n := range nodes {
		if n.value("queue.messages_max") == "256" {
			canary = n
		}
	}
	eventually(t, "the figures are shown", func() bool {
		i := phaseOf(t, c, a.Rollout)
		return len(i.Reached) == 1 && i.Reached[0].OK && strings.Contains(i.Reached[0].Figures, "0.5") && strings.Contains(i.Baseline, "0.5")
	})
	canary.session.Say(keeperapi.NodeFrame{Broke: &keeperapi.Broke{Knobs: []string{"queue.messages_max"}, Revision: canary.revision,
		Rollout: a.Rollout, Guard: "drops.10s < 5/s", Figures: "drops.10s 6.1/s, allowed < 5/s"}})
	eventually(t, "the rollout ends", func() bool { return phaseOf(t, c, a.Rollout).Phase == keeperapi.PhaseBroke })
	eventually(t, "nobody holds it", func() bool { return holding(nodes, "256") == 0 })
	if i := phaseOf(t, c, a.Rollout); !strings.Contains(i.EndWhy, canary.id) || !strings.Contains(i.EndWhy, "6.1/s") {
		t.Errorf("why: %q", i.EndWhy)
	}
}

func TestRolloutEndsWhenANodeRefuses(t *testing.T) {
	_, c, nodes := fleet(t, 1, 2)
	for _, n := range nodes {
		n.mu.Lock()
		n.nack, n.refuse = true, func(_, v string) string {
			if v == "256" {
				return "out of memory"
			}
			return ""
		}
		n.mu.Unlock()
	}
	a, err := c.StartRollout(t.Context(), rollout("256", "", time.Hour, "1", "all"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rollout ends", func() bool { return phaseOf(t, c, a.Rollout).Phase == keeperapi.PhaseBroke })
	if i := phaseOf(t, c, a.Rollout); !strings.Contains(i.EndWhy, "out of memory") {
		t.Errorf("why: %q", i.EndWhy)
	}
}

func TestGuardOfAPlainSetTakesItBack(t *testing.T) {
	_, c, nodes := fleet(t, 1, 2)
	if _, err := c.Txn(t.Context(), set(keeperapi.Fleet, "queue.messages_max", "512")); err != nil {
		t.Fatal(err)
	}
	r := set(keeperapi.Fleet, "queue.messages_max", "256")
	r.Guard = "drops.10s < 5/s"
	a, err := c.Txn(t.Context(), r)
	if err != nil || holding(nodes, "256") != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	nodes[0].session.Say(keeperapi.NodeFrame{Broke: &keeperapi.Broke{Knobs: []string{"queue.messages_max"}, Revision: a.Revision,
		Guard: r.Guard, Figures: "drops.10s 6.1/s, allowed < 5/s"}})
	eventually(t, "all are back", func() bool { return holding(nodes, "512") == 2 })
	h, err := c.History(t.Context(), "queue.messages_max", keeperapi.Read{})
	if err != nil || h.Changes[len(h.Changes)-1].Kind != keeperapi.KindRollback || h.Changes[len(h.Changes)-1].Who != "guard on gw-1" {
		t.Errorf("history %+v, %v", h, err)
	}
}

func TestTemporaryValueEnds(t *testing.T) {
	_, c, nodes := fleet(t, 1, 1)
	r := set(keeperapi.Fleet, "queue.messages_max", "256")
	r.ForMS = 1500
	began := time.Now()
	_, err := c.Txn(t.Context(), r)
	if held := holding(nodes, "256"); err != nil || held != 1 && time.Since(began) < 1500*time.Millisecond {
		t.Fatalf("%d hold it, %v", held, err)
	}
	eventually(t, "the value ends", func() bool { return holding(nodes, "") == 1 })
}
