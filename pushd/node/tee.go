package node

import (
	"context"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/admin"
	"pushfleet/pushd/tap"
)

// mirror is the node's tap as its API serves it.
type mirror struct{ *tap.Tap }

func (n *Node) newTap() *tap.Tap {
	v := n.version()
	build := v.Version
	if v.Commit != "" {
		build += " " + v.Commit
	}
	clock := n.shared.Clock
	return tap.New(tap.Config{Knobs: n.knobs.tap, Clock: clock.Now, Wall: clock.Wall, Loops: n.loops,
		Node: n.cfg.NodeName, Build: build, Log: n.log})
}

// Mirror implements admin.Tap.
func (m mirror) Mirror(ctx context.Context, q pushdapi.TeeQuery, to string, w admin.Sink) error {
	return m.Run(ctx, tap.Options{Sample: q.Sample, Redact: q.Redact, To: to}, w)
}

// Stop implements admin.Tap.
func (m mirror) Stop(who string) bool { return m.StopFor(who) }

// Patience implements admin.Tap.
func (m mirror) Patience() time.Duration { return m.Knobs.Stall.Get() }
