package node

import (
	"context"
	"math"
	"path/filepath"

	"pushfleet/internal/decay"
	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/recorder"
	"pushfleet/pushd/stats"
)

// bundleTop is how many of the worst connections a bundle names.
const bundleTop = 20

func (n *Node) buildRecorder() {
	n.recorder = recorder.New(recorder.Config{
		Dir: filepath.Join(n.cfg.StateDir, "recorder"), Node: n.cfg.NodeName, Version: Version,
		Knobs: n.knobs.recorder, Registry: n.knobs.registry, Log: n.log,
		Ask: n.recorded, Backlog: n.backlog, Conns: n.shared.Open.Load,
		Show: map[string]func(context.Context) (any, error){
			"stats.json": func(ctx context.Context) (any, error) { return n.Stats(ctx) },
			"top.json": func(ctx context.Context) (any, error) {
				return n.Top(ctx, stats.Query{By: stats.ByWait, Window: 10, N: bundleTop})
			},
		},
	})
}

// recorded gathers what the node tells its recorder, once a second.
func (n *Node) recorded(ctx context.Context, f *recorder.Figures) {
	now := reactor.MS(n.shared.Clock.Now())
	*f = recorder.Figures{}
	var totals stats.Totals
	var level decay.Sum
	all, silent := n.snapshots(ctx)
	f.Silent = len(silent)
	for i, s := range all {
		if s == nil {
			continue
		}
		totals.Add(&s.Totals)
		level.Add(&s.Windows, now, uint32(min(s.Totals.Queued, math.MaxUint32)))
		f.Latency.Merge(&s.Latency)
		f.Turns.Merge(&s.Turns)
		f.SlabBytes += s.SlabBytes + s.BufferBytes
		f.AcceptErrors += s.AcceptErrors
		f.Inbox += n.workers[i].loop.Inbox()
		n.spare.Put(s)
	}
	f.Level = level.Level
	n.recordTotals(f, &totals)
	n.recordBacklog(f)
	f.SlabBytes += n.shared.Router.MemoryBytes()
	f.MessageBytes = n.shared.Messages.Bytes()
	f.GCHeld = n.tuner.Held()
	f.KnobRevision, f.FleetRevision = n.knobs.registry.Revision(), n.followed().Revision
}

func (n *Node) recordTotals(f *recorder.Figures, t *stats.Totals) {
	c := n.publish.api.Snapshot()
	counts := n.shared.Router.Counts()
	f.Open, f.Users, f.Groups, f.Sampled = t.Open, counts.Users, counts.Groups, t.Sampled
	f.Accepted, f.Published, f.Absent, f.Kept = t.Accepted, c.Published, c.Absent, c.Kept
	f.Offered, f.Delivered, f.Received = t.Offered, t.Delivered, t.Received
	f.BytesOut, f.BytesIn = t.BytesOut, t.BytesIn
	f.Writes, f.WouldWait, f.Pings, f.UplinkNone = t.Writes, t.WouldWait, t.Pings, t.UplinkNone
	f.Dropped, f.Closed = t.Dropped, t.Closed
	f.Dropped[push.DropNone], f.Closed[push.CloseNone] = 0, 0
	for r, v := range c.Dropped {
		f.Dropped[r] += v
	}
	f.Queued, f.QueuedBytes = t.Queued, t.QueuedBytes
}

func (n *Node) recordBacklog(f *recorder.Figures) {
	soft := n.knobs.queue.Soft.Get() / 100
	for _, w := range n.workers {
		b := w.table.Backlog(soft)
		f.QueuedConns += b.Conns
		f.OverSoft += b.OverSoft
		f.OverHard += b.OverHard
		f.OldestSeconds = max(f.OldestSeconds, b.OldestSeconds)
	}
}
