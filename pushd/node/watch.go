package node

import (
	"context"
	"math"
	"slices"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/session"
	"pushfleet/pushd/stats"
)

// watchEvery is the time between looks at a connection that is watched.
const watchEvery = 25 * time.Millisecond

// watchWait is how long a loop may take to answer a look. It is longer than
// what anybody waits elsewhere: that a loop is stuck is what a watcher wants to
// know.
const watchWait = 10 * time.Second

// watcher is one connection under watch. One goroutine uses it.
type watcher struct {
	n    *Node
	h    push.Handle
	late hist.Log
	w    pushdapi.Watched

	waiting, unsent, walking int       // looks that found so
	unacked                  time.Time // since when data was on its way at each look; zero: none is
}

// edge is a connection and its node at the beginning or the end.
type edge struct {
	at      time.Time
	conn    pushdapi.Conn
	turns   hist.Log
	process processLook
}

// Watch implements admin.Watcher.
func (n *Node) Watch(ctx context.Context, h push.Handle, d time.Duration) (pushdapi.Watched, error) {
	w := &watcher{n: n, h: h}
	first, err := w.edge(ctx)
	if err != nil {
		return w.w, err
	}
	if err := w.look(ctx, first.at, d); err != nil {
		return w.w, err
	}
	last, err := w.edge(ctx)
	if err != nil {
		return w.w, err
	}
	w.sum(first, last)
	return w.w, nil
}

// edge looks at all.
func (w *watcher) edge(ctx context.Context) (*edge, error) {
	ctx, cancel := context.WithTimeout(ctx, watchWait)
	defer cancel()
	e := new(edge)
	var err error
	if e.conn, e.at, err = w.n.describe(ctx, w.h); err != nil {
		return nil, err
	}
	turns := new(hist.Log) // a loop that is late may still write to it
	if err := w.n.on(ctx, w.h, func(t *session.Table) { t.Turns(turns) }); err != nil {
		return nil, err
	}
	e.turns, e.process = *turns, lookAtProcess()
	return e, nil
}

// look looks at the connection all the time. A look that could not be taken
// because the one before was not answered counts as late too: what came in
// then waited as well.
func (w *watcher) look(ctx context.Context, from time.Time, d time.Duration) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	end := from.Add(d)
	for due := from.Add(watchEvery); ; {
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		if !due.Before(end) {
			return nil
		}
		took, err := w.glance(ctx)
		if err != nil {
			return err
		}
		for ; due.Before(took) && due.Before(end); due = due.Add(watchEvery) {
			w.late.Record(int64(took.Sub(due)))
		}
	}
}

// glance has the loop look and returns when it did.
func (w *watcher) glance(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, watchWait)
	defer cancel()
	type seen struct {
		session.Glance
		at time.Time
	}
	s, err := ask(ctx, w.n, w.h, func(t *session.Table) (seen, bool) {
		at := time.Now()
		g, ok := t.Glance(w.h)
		return seen{g, at}, ok
	})
	if err != nil {
		return s.at, err
	}
	w.note(&s.Glance, s.at)
	return s.at, nil
}

func (w *watcher) note(g *session.Glance, at time.Time) {
	w.w.Looks++
	q := &w.w.Queue
	q.Max, q.OldestSeconds = max(q.Max, g.Queued), max(q.OldestSeconds, g.Oldest)
	if g.Queued > 0 {
		w.waiting++
	}
	if g.Walking {
		w.walking++
	}
	if l := &w.w.Loop; !slices.Contains(l.Threads, g.Thread) {
		l.Threads = append(l.Threads, g.Thread)
	}
	if g.TCP == nil {
		return
	}
	if w.w.Socket == nil {
		w.w.Socket = &pushdapi.WatchedSocket{}
	}
	s := w.w.Socket
	s.UnsentMax, s.RTTMax, s.ProbesMax = max(s.UnsentMax, g.TCP.UnsentBytes), max(s.RTTMax, g.TCP.RTTSeconds), max(s.ProbesMax, g.TCP.Probes)
	if g.TCP.UnsentBytes > 0 {
		w.unsent++
	}
	w.silence(at, g.TCP)
}

// silence finds how long nothing came back. An acknowledgement older than the
// data says nothing, so only what the looks have seen counts.
func (w *watcher) silence(at time.Time, tcp *pushdapi.TCP) {
	switch {
	case tcp.UnackedSegments == 0 && tcp.Probes == 0:
		w.unacked = time.Time{}
		return
	case w.unacked.IsZero():
		w.unacked = at
	}
	s := w.w.Socket
	s.SilentMax = max(s.SilentMax, min(tcp.LastAckAgo, at.Sub(w.unacked).Seconds()))
}

// sum tells what has changed.
func (w *watcher) sum(first, last *edge) {
	o, c := &w.w, &last.conn
	o.Place, o.OverSeconds = pushdapi.Here(), last.at.Sub(first.at).Seconds()
	before := look{first.at, first.conn.TCP}
	c.TCPRecent = before.share(last.at, c.TCP)
	w.n.shares.remember(w.h, look{last.at, c.TCP})
	c.Cause = stats.Cause(stats.CauseInputOf(c))
	o.Conn = *c
	o.UsualIn = usual(first.conn.Rates.In, first.conn.AgeSeconds)
	// The counters of a connection wrap.
	o.Offered = uint64(uint32(c.Totals.Offered) - uint32(first.conn.Totals.Offered))
	o.Delivered = uint64(uint32(c.Totals.Delivered) - uint32(first.conn.Totals.Delivered))
	o.Dropped = uint64(uint32(c.Drops) - uint32(first.conn.Drops))
	o.BytesOut = c.Totals.BytesOut - first.conn.Totals.BytesOut
	o.Queue.First, o.Queue.Last = first.conn.Queued, c.Queued
	o.Queue.Max = max(o.Queue.Max, o.Queue.First, o.Queue.Last)
	o.Queue.OldestSeconds = max(o.Queue.OldestSeconds, first.conn.OldestSeconds, c.OldestSeconds)
	o.Queue.Waiting, o.Loop.Walking = w.part(w.waiting), w.part(w.walking)
	w.sumSocket(first, last)
	w.sumLoop(first, last)
	o.Process = last.process.since(&first.process)
}

func (w *watcher) part(looks int) float64 { return float64(looks) / float64(max(1, w.w.Looks)) }

func (w *watcher) sumSocket(first, last *edge) {
	s, recent, now, before := w.w.Socket, last.conn.TCPRecent, last.conn.TCP, first.conn.TCP
	if s == nil || recent == nil {
		w.w.Socket = nil // half of it would mislead
		return
	}
	s.Busy, s.RwndLimited, s.SndbufLimited = recent.Busy, recent.RwndLimited, recent.SndbufLimited
	s.Segments, s.Resent = now.SegmentsOut-before.SegmentsOut, now.Retransmits-before.Retransmits
	s.Unsent = w.part(w.unsent)
	s.AckedBytes = now.AckedBytes - before.AckedBytes
}

func (w *watcher) sumLoop(first, last *edge) {
	l := &w.w.Loop
	l.Loop, l.Late, l.LateMean = w.h.Loop(), quantiles(&w.late), w.late.Mean()/1e9
	turns := last.turns
	turns.Since(&first.turns)
	l.Turn, l.Turns, l.TurnSeconds = quantiles(&turns), turns.Count(), float64(turns.Sum())/1e9
	for _, tid := range l.Threads {
		t := last.process.threads[tid].since(first.process.threads[tid])
		l.RunSeconds, l.RunQueueSeconds = l.RunSeconds+t.run, l.RunQueueSeconds+t.wait
	}
}

// usualLeast is how much of the past, in seconds, must lie behind the short
// windows for a usual rate.
const usualLeast = 2.0

// usual is a rate as it was before the last seconds: what the window of 100 s
// holds and that of 10 s does not. Each window's rate is per second of the
// weight that it gives to the time since the connection opened.
func usual(r pushdapi.Windows, age float64) float64 {
	weight := func(tau float64) float64 { return -tau * math.Expm1(-age/tau) }
	long, short := weight(100), weight(10)
	if long-short < usualLeast {
		return 0
	}
	return max(0, (r.S100*long-r.S10*short)/(long-short))
}
