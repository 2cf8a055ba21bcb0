package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/swarm"
)

// Demo is a little traffic that makes a node worth looking at.
type Demo struct {
	Conns int     // connections over all transports; three of them misbehave
	Rate  float64 // messages per second
}

// demoProtos is the mix of transports.
func demoProtos() swarm.Mix[push.Proto] {
	return swarm.Mix[push.Proto]{{What: push.ProtoWS, Part: 0.7}, {What: push.ProtoSSE, Part: 0.14},
		{What: push.ProtoStream, Part: 0.1}, {What: push.ProtoPoll, Part: 0.06}}
}

// RunDemo keeps the traffic up until ctx ends, whatever the node does. One
// reader is slow, one has stalled, one comes and goes; the first two are among
// the busiest users, so that they show in top.
func RunDemo(ctx context.Context, out *Out, t *Target, d Demo) error {
	n := max(d.Conns, 4)
	groups := []struct {
		first, n int
		profile  swarm.Profile
		protos   swarm.Mix[push.Proto]
	}{
		{3, n - 3, swarm.Fast, demoProtos()},
		{1, 1, swarm.Slow, nil},
		{2, 1, swarm.Stalled, swarm.Mix[push.Proto]{{What: push.ProtoStream, Part: 1}}},
		{0, 1, swarm.Churn, nil},
	}
	var all []*swarm.Swarm
	defer func() {
		for _, s := range all {
			s.Close()
		}
	}()
	for _, g := range groups {
		s, err := swarm.New(swarm.Options{Target: t.Clients, Conns: g.n, Rate: 100, Protos: g.protos,
			Profiles:  swarm.Mix[swarm.Profile]{{What: g.profile, Part: 1}},
			User:      func(i int) string { return fmt.Sprintf("u-%d", g.first+i) },
			SlowBytes: 600, ChurnMean: 20 * time.Second, Reconnect: true, TriesMax: 250})
		if err != nil {
			return err
		}
		s.Start(ctx)
		all = append(all, s)
	}
	out.linef("demo: %d connections, %s, until interrupted", n, rateText(d.Rate))
	for ctx.Err() == nil {
		if err := demoPublish(ctx, t, n, d.Rate); err != nil && ctx.Err() == nil {
			out.linef("demo: %v; trying again", err)
		}
		_ = pause(ctx, time.Second+rand.N(time.Second))
	}
	return nil
}

func demoPublish(ctx context.Context, t *Target, users int, rate float64) error {
	p, err := NewPublisher(ctx, Publish{Node: t.Node.Addr(), Rate: rate, Arrivals: "poisson",
		Users: users, Choice: "zipf", Size: 200})
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Run(ctx)
}
