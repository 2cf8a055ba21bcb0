package drive

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

// follow drives a shadow with the traffic of a node.
func follow(t *testing.T, prod, n *testnode.Node) (d *Driver, finish func() Counts) {
	t.Helper()
	// A busy machine makes the replay late, not wrong.
	d, err := New(Options{Shadow: n.API, Production: prod.API, ConnsMax: 2000, LateMax: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	body, err := prod.API.Tee(ctx, pushdapi.TeeQuery{Sample: 100})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, teewire.NewReader(teewire.NewStream(body))) }() // ended by StopTee, below
	finished := false
	finish = func() Counts {
		t.Helper()
		finished = true
		if err := prod.API.StopTee(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		c := d.Counts()
		exact(t, &c)
		return c
	}
	t.Cleanup(func() {
		stop()
		if !finished {
			<-done
		}
		body.Close()
		prod.API.Close()
		n.API.Close()
	})
	return d, finish
}

// clients are those of production.
func clients(t *testing.T, prod *testnode.Node, name string, conns int, profiles, protos string) *swarm.Swarm {
	t.Helper()
	o := swarm.Options{Target: netip.MustParseAddrPort(prod.Client()), Conns: conns, Reconnect: true, SlowBytes: 50_000,
		ChurnMean: 300 * time.Millisecond, User: func(i int) string { return fmt.Sprint(name, i) }}
	var err error
	if o.Profiles, err = swarm.ParseMix(profiles, swarm.ParseProfile); err != nil {
		t.Fatal(err)
	}
	if o.Protos, err = swarm.ParseMix(protos, push.ParseProto); err != nil {
		t.Fatal(err)
	}
	s, err := swarm.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t.Context())
	t.Cleanup(func() { s.Close() })
	<-s.Ready()
	return s
}

func production(t *testing.T) *testnode.Node {
	return testnode.Start(t, func(c *testnode.Config) {
		c.NodeName = "production"
		// A tee of everything on a busy machine, under the race detector.
		c.Knobs["tap.cpu_percent_max"] = "1000"
	})
}

func wait(t *testing.T, what string, ok func() bool, show ...func() any) {
	t.Helper()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			for _, f := range show {
				t.Logf("%+v", f())
			}
			t.Fatalf("did not happen: %s", what)
		case <-tick.C:
		}
	}
}

// Clients that stall and that read slowly in production are waited for by the
// shadow too: each of its queues may be behind by what lies between it and its
// client, and by no more.
func TestQueuesFollowProduction(t *testing.T) {
	const each, size = 140, 1000
	const conns, stalled = 15, 5 // of each kind, before and after the tee begins
	prod, n := production(t), shadow(t, nil)
	clients(t, prod, "old-", conns, "fast,slow=20%", "ws,sse=20%,stream=20%")
	clients(t, prod, "old-stalled-", stalled, "stalled", "ws,sse=20%,stream=20%")
	d, finish := follow(t, prod, n)
	clients(t, prod, "new-", conns, "fast,slow=20%", "ws,sse=20%,stream=20%")
	clients(t, prod, "new-stalled-", stalled, "stalled", "ws,sse=20%,stream=20%")
	wait(t, "all mirrored", func() bool { return d.Counts().Open == 2*(conns+stalled) && n.Stats().Users == 2*(conns+stalled) })

	p := prod.API.Publish(t.Context(), false, nil)
	data := []byte(`"` + strings.Repeat("x", size-60) + `"`)
	sent := uint64(0)
	send := func(name string, n int) {
		for i := range n {
			if err := p.Send(&pushdapi.Send{User: fmt.Sprint(name, i), Data: data}); err != nil {
				t.Fatal(err)
			}
			sent++
		}
	}
	for range each {
		for _, age := range []string{"old-", "new-"} {
			send(age, conns)
			send(age+"stalled-", stalled)
		}
	}
	if _, err := p.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, "all messages mirrored", func() bool { return d.Counts().Published == sent },
		func() any { return d.Counts() }, func() any { return *prod.Stats().Tap })
	var there, here int64
	still := 0 // looks in which nothing was written, and in each of which the loops had their turn
	wait(t, "only those who stall wait", func() bool {
		a, b := prod.Stats(), n.Stats()
		before := [...]int64{there, here}
		there, here = a.Queued.Messages, b.Queued.Messages
		if still++; before != [...]int64{there, here} {
			still = 0
		}
		return a.Queued.Conns == 2*stalled && d.Counts().Held == 2*stalled && b.Queued.Conns == 2*stalled &&
			uint64(here)+b.Totals.Delivered == sent && still >= 10
	}, func() any { return d.Counts() }, func() any { return *prod.Stats() })
	behind, stated := (there-here)*size/(2*stalled), int64(d.between+24<<10)
	t.Logf("%d messages wait in production, %d at the shadow: %d bytes behind for each, stated %d", there, here, behind, stated)
	if behind > stated || behind < -24<<10 {
		t.Errorf("%d messages wait in production, %d at the shadow", there, here)
	}
	c := finish()
	if dropped(&c) != 0 || c.Torn != 0 || c.Joined < conns+stalled {
		t.Errorf("counts %+v", c)
	}
	tapped := c.Tap.Sent
	if tapped[teewire.KindPublish] != c.Replayed["publish"] || tapped[teewire.KindOpen] != c.Replayed["open"] || c.End.Reason == "" {
		t.Errorf("the tap sent %v, replayed %v, end %+v", tapped, c.Replayed, c.End)
	}
}

// Clients that come and go in production come and go at the shadow.
func TestChurnFollowsProduction(t *testing.T) {
	prod, n := production(t), shadow(t, nil)
	d, finish := follow(t, prod, n)
	s := clients(t, prod, "c-", 60, "fast,churn=80%", "ws,stream=30%")
	wait(t, "some hundred sessions", func() bool { return s.Snapshot().Opened > 300 })
	s.Close()
	wait(t, "all gone in production", func() bool { return prod.Stats().Connections.Total == 0 })
	opened := prod.Stats().Tap.Seen["open"] // some had not been answered yet
	wait(t, "all gone", func() bool { c := d.Counts(); return c.Replayed["close"] == opened && c.Sockets == 0 },
		func() any { return opened }, func() any { return d.Counts() })
	wait(t, "all gone at the shadow", func() bool { return n.Stats().Connections.Total == 0 })
	if b := n.Stats(); b.Totals.Accepted != opened || b.ClosedBy["client"]+b.ClosedBy["gone"] != opened {
		t.Errorf("%d sessions; at the shadow %d, closed by %v", opened, b.Totals.Accepted, b.ClosedBy)
	}
	c := finish()
	if dropped(&c) != 0 || c.Read["close"] != opened || c.Replayed["open"] != opened {
		t.Errorf("counts %+v", c)
	}
}
