package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
	"pushfleet/internal/testnode"
	"pushfleet/pushd/config"
	"pushfleet/pushd/node"
)

// TestTwoNodesShareNothing has two nodes in this process, each with clients of
// the same names.
func TestTwoNodesShareNothing(t *testing.T) {
	start := func(name string) *testnode.Node {
		return testnode.Start(t, func(c *config.Config) { c.NodeName = name })
	}
	a, b := start("a"), start("b")
	ctx := context.Background()
	ha := startHerd(t, a.Client(), swarm.Options{Conns: 40, Protos: evenly(push.ProtoSSE), Query: "group=g"})
	hb := startHerd(t, b.Client(), swarm.Options{Conns: 10, Query: "group=g"})

	for i := range 40 {
		if r, err := a.API.Send(ctx, numbered(fmt.Sprint("u-", i), 1)); err != nil || r.Delivered != 1 {
			t.Fatalf("send on a: %+v, %v", r, err)
		}
	}
	if r, err := b.API.Send(ctx, numbered("u-39", 1)); err != nil || r.Delivered != 0 || r.Absent != 1 {
		t.Errorf("b delivers to a user of a: %+v, %v", r, err)
	}
	if r, err := a.API.Broadcast(ctx, pushdapi.Send{Group: "g", Data: []byte(`{"n":2}`)}); err != nil || r.Delivered != 40 {
		t.Errorf("broadcast on a: %+v, %v; want 40", r, err)
	}
	eventually(t, "a's clients have both messages", func() bool { return ha.Received() == 80 })
	if got := hb.Received(); got != 0 {
		t.Errorf("b's clients got %d messages", got)
	}

	if _, err := a.API.SetKnob(ctx, "queue.messages_max", pushdapi.KnobSet{Value: "77"}); err != nil {
		t.Fatal(err)
	}
	if k, err := b.API.Knob(ctx, "queue.messages_max"); err != nil || k.Value != "1024" {
		t.Errorf("a knob of a is %+v on b, %v", k, err)
	}
	wantStats := func(n *testnode.Node, name string, conns int64, delivered uint64, revision uint64) {
		t.Helper()
		n.Eventually("counts settle", func(s *pushdapi.Stats) bool { return s.Totals.Delivered == delivered })
		s := n.Stats()
		if s.Node != name || s.Connections.Total != conns || s.Users != conns || s.Totals.Accepted != uint64(conns) || s.KnobRevision != revision {
			t.Errorf("stats of %s: %+v", name, *s)
		}
	}
	base, err := b.API.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantStats(a, "a", 40, 80, base.KnobRevision+1)
	wantStats(b, "b", 10, 0, base.KnobRevision)
	wantMetric(t, a.Node, `pushd_connections{proto="sse"} 40`)
	wantMetric(t, b.Node, `pushd_connections{proto="sse"} 0`)

	a.Stop()
	if r, err := b.API.Broadcast(ctx, pushdapi.Send{Data: []byte(`{"n":3}`)}); err != nil || r.Delivered != 10 {
		t.Errorf("after a stopped, broadcast on b: %+v, %v; want 10", r, err)
	}
	eventually(t, "b's clients have it", func() bool { return hb.Received() == 10 })
	if c := hb.Snapshot(); c.Open != 10 || c.Lost != 0 {
		t.Errorf("b's clients: %+v", c)
	}
}

func wantMetric(t *testing.T, n *node.Node, want string) {
	t.Helper()
	resp, err := http.Get("http://" + n.PrivateAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), want+"\n") {
		t.Errorf("/metrics of %s does not say %s:\n%s", n.PrivateAddr(), want, grep(string(body), "pushd_conn"))
	}
}

func grep(text, word string) string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if strings.Contains(l, word) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}
