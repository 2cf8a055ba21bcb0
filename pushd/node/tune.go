package node

import (
	"log/slog"

	"pushfleet/pushd/tune"
)

func (n *Node) buildTuner() {
	n.tuner = tune.New(tune.Config{Knobs: n.knobs.tune, Registry: n.knobs.registry, Backlog: n.backlog})
}

// TurnLogLevel has the knob log.level set v, now and when it changes. Call it
// before Start; without it the level of the log is what its maker chose.
func (n *Node) TurnLogLevel(v *slog.LevelVar) { n.tuner.TurnLevel(v) }

// backlog is the number of messages that wait on the node: those in queues and
// what has yet to get there, a broadcast counted once per loop. From any
// goroutine while the loops run.
func (n *Node) backlog() (messages int64) {
	for _, w := range n.workers {
		messages += w.table.Queued() + w.loop.Inbox()
	}
	return messages
}
