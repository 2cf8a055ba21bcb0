package node

import (
	"context"
	"time"

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
func (m mirror) Mirror(ctx context.Context, t admin.Tee, w admin.Sink) error {
	return m.Run(ctx, tap.Options{Sample: t.Sample, Redact: t.Redact, ID: t.ID, To: t.To}, w)
}

// Stop implements admin.Tap.
func (m mirror) Stop(id, who string) error { return m.StopFor(id, who) }

// Patience implements admin.Tap.
func (m mirror) Patience() time.Duration { return m.Knobs.Stall.Get() }
