package node

import (
	"context"
	"errors"
	"math"
	"time"

	"pushfleet/internal/decay"
	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/admin"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/session"
	"pushfleet/pushd/stats"
)

var errNotFound = admin.ErrNotFound

// askTimeout is how long a loop may take to answer before it is reported silent.
const askTimeout = 500 * time.Millisecond

// snapshots asks every loop for its figures; silent loops are named.
func (n *Node) snapshots(ctx context.Context) (all []*session.Snapshot, silent []int) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for _, w := range n.workers {
		s, _ := n.spare.Get().(*session.Snapshot)
		if s == nil {
			s = &session.Snapshot{}
		}
		if err := w.loop.Do(ctx, func() { w.table.Snapshot(s) }); err != nil {
			silent = append(silent, w.loop.Index)
			all = append(all, nil) // the loop may still write to s
			continue
		}
		all = append(all, s)
	}
	return all, silent
}

// Stats implements admin.Source.
func (n *Node) Stats(ctx context.Context) (pushdapi.Stats, error) { return n.stats(ctx, true), nil }

// stats gathers the figures, with a look at PSS or, every second for guards,
// without.
func (n *Node) stats(ctx context.Context, pss bool) pushdapi.Stats {
	now := reactor.MS(n.shared.Clock.Now())
	s := pushdapi.Stats{
		Node: n.cfg.NodeName, Version: Version, At: time.Now(), State: stateNames[n.state.Load()],
		UptimeSeconds: time.Since(n.started).Seconds(), KnobRevision: n.knobs.registry.Revision(), Clients: n.ClientAddrs(),
	}
	all, silent := n.snapshots(ctx)
	s.SilentLoop = silent
	n.keepHistograms(all)
	var (
		totals  stats.Totals
		latency hist.Log
		level   decay.Sum
	)
	for i, snap := range all {
		if snap == nil {
			continue
		}
		totals.Add(&snap.Totals)
		latency.Merge(&snap.Recent)
		level.Add(&snap.Windows, now, uint32(min(snap.Totals.Queued, math.MaxUint32)))
		addRates(&s, &snap.Rates, now)
		s.Memory.SlabBytes += snap.SlabBytes + snap.BufferBytes
		s.Loops = append(s.Loops, pushdapi.Loop{Loop: i, Conns: snap.Live, Delivered: stats.Windows(snap.Rates.Delivered.Read(now)),
			Queued: snap.Totals.Queued, Inbox: n.workers[i].loop.Inbox(), TurnP99: float64(snap.Turns.Quantile(0.99)) / 1e9})
	}
	for _, snap := range all {
		if snap != nil {
			n.spare.Put(snap)
		}
	}
	s.Queued.Level = stats.Windows(level.Level)
	s.Latency = quantiles(&latency)
	n.fillTotals(&s, &totals, now)
	n.fillBacklog(&s)
	n.fillProcess(&s, pss)
	s.Follow, s.KnobsChanged = n.followed(), n.changed.count(n.knobs.registry)
	n.fillShadow(&s)
	books := n.tap.Status()
	s.Tap = &books
	return s
}

func addRates(s *pushdapi.Stats, r *session.Rates, now uint32) {
	add := func(to *pushdapi.Windows, rate *decay.Rate) {
		v := rate.Read(now)
		to.S1, to.S10, to.S100 = to.S1+v[0], to.S10+v[1], to.S100+v[2]
	}
	add(&s.Connections.Accepted, &r.Accepted)
	add(&s.Delivered, &r.Delivered)
	add(&s.BytesOut, &r.Bytes)
	add(&s.Received, &r.Received)
	add(&s.Dropped, &r.Dropped)
	add(&s.Closed, &r.Closed)
}

func quantiles(l *hist.Log) pushdapi.Quantiles {
	f := func(q float64) float64 { return float64(l.Quantile(q)) / 1e9 }
	return pushdapi.Quantiles{P50: f(0.5), P99: f(0.99), P999: f(0.999), Max: float64(l.Max()) / 1e9}
}

func (n *Node) fillTotals(s *pushdapi.Stats, t *stats.Totals, now uint32) {
	c := n.publish.api.Snapshot()
	for r, v := range c.Dropped {
		t.Dropped[r] += v
	}
	s.Connections.Total = t.Conns()
	s.Connections.ByProto = t.OpenBy()
	s.Connections.Handshaking = t.Handshaking()
	s.Connections.Sampled = t.Sampled
	s.Connections.Max = n.knobs.session.ConnsMax.Get()
	s.Totals = pushdapi.Totals{Accepted: t.Accepted, Published: c.Published, Absent: c.Absent, Kept: c.Kept,
		Delivered: t.Delivered, BytesOut: t.BytesOut, Received: t.Received, Pings: t.Pings,
		Writes: t.Writes, WouldWait: t.WouldWait, UplinkNo: t.UplinkNone}
	s.DroppedBy, s.ClosedBy = t.DroppedBy(), t.ClosedBy()
	s.Queued.Messages, s.Queued.Bytes = t.Queued, t.QueuedBytes
	s.Published = n.countPublished(now)
	counts := n.shared.Router.Counts()
	s.Users, s.Groups = counts.Users, counts.Groups
}

// countPublished tells the decayed rate what was published since the last call.
func (n *Node) countPublished(now uint32) pushdapi.Windows {
	total := n.publish.api.Snapshot().Published
	n.rateMu.Lock()
	defer n.rateMu.Unlock()
	n.published.Add(now, total-n.counted)
	n.counted = total
	return stats.Windows(n.published.Read(now))
}

func (n *Node) fillBacklog(s *pushdapi.Stats) {
	soft := n.knobs.queue.Soft.Get() / 100
	for _, w := range n.workers {
		b := w.table.Backlog(soft)
		s.Queued.Conns += b.Conns
		s.Queued.OverSoft += b.OverSoft
		s.Queued.OverHard += b.OverHard
		s.Queued.OldestSeconds = max(s.Queued.OldestSeconds, b.OldestSeconds)
	}
}

func (n *Node) fillProcess(s *pushdapi.Stats, pss bool) {
	slabs := s.Memory.SlabBytes
	s.Process, s.Memory = n.usage.read(s.Connections.Total, pss)
	s.Process.GCHeld = n.tuner.Held()
	s.Memory.SlabBytes = slabs + n.shared.Router.MemoryBytes()
	s.Memory.MessageBytes = n.shared.Messages.Bytes()
	s.Memory.MessageBytesMax = n.shared.Messages.Max()
}

// Top implements admin.Source.
func (n *Node) Top(_ context.Context, q stats.Query) (pushdapi.Top, error) {
	q.Node = n.cfg.NodeName
	queueMax := func() int { return int(n.knobs.queue.MessagesMax.Get()) }
	queueBytes := func() int { return int(n.knobs.queue.BytesMax.Get()) }
	var srcs []stats.Source
	for _, w := range n.workers {
		srcs = append(srcs, stats.Source{Cols: w.table.Cols, QueueMax: queueMax, QueueBytes: queueBytes,
			Age: w.table.Age, Fill: w.table.Fill})
	}
	// One query at a time, so that its buffers are used again; each takes
	// about a millisecond per million connections.
	n.topMu.Lock()
	defer n.topMu.Unlock()
	return n.top.Top(q, uint64(n.shared.Clock.Now())/1e6, srcs), nil
}

// Conn implements admin.Source.
func (n *Node) Conn(ctx context.Context, h push.Handle) (pushdapi.Conn, error) {
	d, at, err := n.describe(ctx, h)
	if err != nil {
		return d, err
	}
	before := n.shares.recall(h, at)
	if before == nil {
		// The kernel's counters are since the connection began: a share of
		// the recent time needs two looks.
		first := look{at, d.TCP}
		select {
		case <-time.After(lookApart):
		case <-ctx.Done():
			return d, ctx.Err()
		}
		if d, at, err = n.describe(ctx, h); err != nil {
			return d, err
		}
		before = &first
	}
	d.TCPRecent = before.share(at, d.TCP)
	n.shares.remember(h, look{at, d.TCP})
	d.Cause = stats.Cause(stats.CauseInputOf(&d))
	return d, nil
}

// found is an answer of a loop about a connection that may be gone.
type found[T any] struct {
	v  T
	ok bool
}

// ask has the loop that owns a connection answer. A loop that is late answers
// into memory that nobody reads any more.
func ask[T any](ctx context.Context, n *Node, h push.Handle, f func(*session.Table) (T, bool)) (v T, err error) {
	answer := new(found[T])
	err = n.on(ctx, h, func(t *session.Table) { answer.v, answer.ok = f(t) })
	switch {
	case errors.Is(err, reactor.ErrEnded), err == nil && !answer.ok:
		return v, errNotFound
	case err != nil:
		return v, err
	}
	return answer.v, nil
}

func (n *Node) describe(ctx context.Context, h push.Handle) (d pushdapi.Conn, at time.Time, err error) {
	d, err = ask(ctx, n, h, func(t *session.Table) (pushdapi.Conn, bool) { return t.Describe(h) })
	d.Node = n.cfg.NodeName
	return d, time.Now(), err
}

// Kick implements admin.Source.
func (n *Node) Kick(ctx context.Context, h push.Handle, why push.CloseReason) error {
	_, err := ask(ctx, n, h, func(t *session.Table) (struct{}, bool) { return struct{}{}, t.Kick(h, why) })
	return err
}

// Trace implements admin.Source.
func (n *Node) Trace(ctx context.Context, user string, emit func(pushdapi.TraceEvent) error) error {
	sub := n.shared.Tracer.Watch(user)
	defer sub.Close()
	n.publish.traceOn()
	defer n.publish.traceOff()
	for _, h := range n.shared.Router.Sessions(user) {
		if err := n.on(ctx, h, func(t *session.Table) { t.SetTraced(h, true) }); err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	lost := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.stop:
			return nil
		case e := <-sub.C:
			if err := emit(e); err != nil {
				return err
			}
			if now := sub.Lost(); now > lost {
				if err := emit(pushdapi.TraceEvent{At: time.Now(), User: user, Event: "lost", Queue: int64(now - lost),
					Note: "events that this watcher was too slow for"}); err != nil {
					return err
				}
				lost = now
			}
		}
	}
}

// histograms are the latency histograms of /metrics, as of the last Stats: a
// scrape takes both from one moment.
func (n *Node) histograms() []admin.Histogram {
	n.histMu.Lock()
	defer n.histMu.Unlock()
	latency, turns := n.latency, n.turns // copies: the next Stats writes to n's
	return []admin.Histogram{
		{Name: "pushd_deliver_latency_seconds", Log: &latency, Bounds: hist.LatencyBounds()},
		{Name: "pushd_loop_turn_seconds", Log: &turns, Bounds: hist.LatencyBounds()},
	}
}

func (n *Node) keepHistograms(all []*session.Snapshot) {
	n.histMu.Lock()
	defer n.histMu.Unlock()
	n.latency.Reset()
	n.turns.Reset()
	for _, s := range all {
		if s != nil {
			n.latency.Merge(&s.Latency)
			n.turns.Merge(&s.Turns)
		}
	}
}
