package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

const (
	knobPing    = "heartbeat.interval"
	backWithin  = 2 * time.Second // after its deadline, a value has gone back
	serveWithin = time.Second     // from the start of pushd to the first client
)

// TestKeepersDead has every keeper killed while nodes hold a value with a
// deadline and one with a guard: both are kept by the nodes themselves. A node
// that is started then serves at once with what it held.
func TestKeepersDead(t *testing.T) {
	k := startKeepers(t, newLAN(t), 3)
	c := k.client(patience)
	nodes := startNodes(t, k, 3)
	must(t, c, set(keeperapi.Fleet, knobQueue, "512", knobBytes, "512KiB"))
	guarded := set(keeperapi.Fleet, knobBytes, "256KiB")
	guarded.Guard = "conns < 1"
	g := must(t, c, guarded)
	settled(t, nodes[1])
	short := set(keeperapi.Fleet, knobQueue, "99")
	short.ForMS = 4000
	must(t, c, short)
	held, err := c.Held(t.Context(), "n1", keeperapi.Read{})
	if err != nil {
		t.Fatal(err)
	}
	deadline := held.Knobs[knobQueue].Deadline.Go()
	for _, m := range k.all {
		m.proc.kill()
	}
	if !all(nodes, knobQueue, "99") || !all(nodes, knobBytes, "256KiB") {
		t.Fatal("the nodes do not hold the values")
	}
	if now := time.Now(); now.After(deadline) {
		t.Fatalf("the keepers died %s too late for the test", now.Sub(deadline))
	}

	t.Run("deadline", func(t *testing.T) { goesBack(t, nodes, deadline) })
	t.Run("guard", func(t *testing.T) { guardTrips(t, nodes) })
	t.Run("start", func(t *testing.T) { startsAlone(t, nodes[1]) })
	for i := range k.all {
		k.run(i)
	}
	k.leader()
	t.Run("afterwards", func(t *testing.T) {
		// What broke on one node is taken back from all as soon as it can be told.
		eventually(t, "the guarded value is taken back", func() bool { return all(nodes, knobBytes, "512KiB") })
		h := last(t, c, knobBytes)
		if h.Kind != keeperapi.KindRollback || h.Who != "guard on n1" || h.Revision <= g.Revision {
			t.Errorf("history %+v", h)
		}
		eventually(t, "the deadline is in the history", func() bool {
			h := last(t, c, knobQueue)
			return h.Kind == keeperapi.KindExpired && h.New != nil && h.New.Value == "512"
		})
		follow(t, c, 3)
	})
}

// goesBack: the node's own note of when says how late it was.
func goesBack(t *testing.T, nodes []*node, deadline time.Time) {
	for _, n := range nodes {
		eventually(t, n.id+" goes back", func() bool { return n.holds(knobQueue, "512") })
		late := n.knob(knobQueue).At.Sub(deadline)
		t.Logf("%s went back %s after the deadline", n.id, late)
		if late < -100*time.Millisecond || late > backWithin {
			t.Errorf("%s went back %s after the deadline, at most %s is allowed", n.id, late, backWithin)
		}
	}
}

// guardTrips: a client connects to one node, which its guard forbids.
func guardTrips(t *testing.T, nodes []*node) {
	client := spawn(t, "n1", "pushctl", "listen", "alice", "--addr", "127.0.0.1:7400")
	defer client.kill()
	eventually(t, "the guard trips", func() bool {
		return nodes[0].holds(knobBytes, "512KiB") && nodes[0].drifts(knobBytes, keeperapi.DriftGuard)
	})
	if count(nodes, knobBytes, "256KiB") != 2 {
		t.Error("other nodes went back too")
	}
	if f := nodes[0].state(); f == nil || f.Connected {
		t.Errorf("the node says %+v, and every keeper is dead", f)
	}
}

// startsAlone: with no keeper to ask, the last known good is in force and
// clients are served within a second. A busy machine gets more than one try.
func startsAlone(t *testing.T, n *node) {
	var took time.Duration
	for range 5 {
		n.proc.kill()
		began := time.Now()
		n.run()
		eventually(t, n.id+" serves", func() bool { return n.proc.logged(`"msg":"serving"`) && n.state() != nil })
		took = time.Since(began)
		t.Logf("%s served after %s", n.id, took)
		if took <= serveWithin {
			break
		}
	}
	if took > serveWithin {
		t.Errorf("%s served after %s at best, want %s", n.id, took, serveWithin)
	}
	if !n.holds(knobBytes, "256KiB") || !n.holds(knobQueue, "512") {
		t.Errorf("%s does not hold what it held: %+v, %+v", n.id, n.knob(knobBytes), n.knob(knobQueue))
	}
	if s := n.knob(knobBytes); s != nil && !strings.HasPrefix(s.Source, "fleet r") {
		t.Errorf("%s says that its value is of %q", n.id, fmt.Sprint(s.Source))
	}
}
