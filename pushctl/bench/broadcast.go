package bench

import (
	"context"
	"fmt"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// Broadcast sends to everyone, first alone, then over unicast traffic.
type Broadcast struct {
	Clients
	Rounds int     // broadcasts of each sort
	Bytes  int     // of the data object
	Rate   float64 // unicast messages per second in the second half
	Size   int     // of their data object
	Report string
}

// castKind is the latency kind of broadcasts; unicasts have kind 0.
const castKind = 1

// Times between and around broadcasts.
const (
	castPause   = 200 * time.Millisecond
	castTimeout = 10 * time.Second
)

// cast is what broadcasts cost and took.
type cast struct {
	deliveries int64
	cpu        float64   // seconds
	last       []float64 // seconds from the intended time to the last receipt
	unicast    hist.Log  // latency of unicasts until the last receipt
	missing    int64
}

// RunBroadcast measures broadcasts.
func RunBroadcast(ctx context.Context, out *Out, t *Target, b Broadcast) (*Report, error) {
	r := newRun(out, t, "broadcast")
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	if err := r.plan(b.Clients); err != nil {
		return nil, err
	}
	defer r.swarm.Close()
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	r.phase = "load"
	quiet, err := r.casts(ctx, b.Rounds, b.Bytes)
	var busy *cast
	if err == nil && b.Rate > 0 {
		busy, err = r.busyCasts(ctx, b)
	}
	if err != nil && (ctx.Err() == nil || quiet == nil) {
		return nil, err
	}
	if err != nil {
		r.report.Ended = "interrupted"
	}
	r.report.Seconds = r.out.Now().Sub(r.begin).Seconds()
	r.finish()
	r.report.castFigures(quiet, busy)
	r.report.Title = fmt.Sprintf("broadcast of %d B to %s", b.Bytes, plural(int64(b.Conns), "connection"))
	out.linef("alone          server %s cpu per million, last receipt p50 %s  max %s", get(r.report, "broadcast_cpu_per_million"),
		get(r.report, "broadcast_last_p50"), get(r.report, "broadcast_last_max"))
	if busy != nil {
		out.linef("over %s  last receipt p50 %s  max %s, unicast p99 meanwhile %s", rateText(b.Rate),
			get(r.report, "busy_broadcast_last_p50"), get(r.report, "busy_broadcast_last_max"), get(r.report, "unicast_during_broadcast_p99"))
	}
	out.verdict(r.report)
	return r.report, r.write(b.Report)
}

func get(r *Report, name string) string {
	for _, f := range r.Figures {
		if f.Name == name {
			return value(f.Value, f.Unit)
		}
	}
	return "–"
}

func (r *Report) castFigures(quiet, busy *cast) {
	if quiet.deliveries > 0 && quiet.cpu > 0 {
		r.figure("broadcast_cpu_per_million", quiet.cpu/float64(quiet.deliveries)*1e6, "s", Lower)
	}
	r.castLast("broadcast_last", quiet)
	if quiet.missing > 0 {
		r.wrong("%s of broadcasts did not arrive within %v", plural(quiet.missing, "delivery"), castTimeout)
	}
	if busy == nil {
		return
	}
	r.castLast("busy_broadcast_last", busy)
	r.latency("unicast_during_broadcast", quantiles(&busy.unicast))
	if busy.missing > 0 {
		r.wrong("%s of broadcasts over unicasts did not arrive within %v", plural(busy.missing, "delivery"), castTimeout)
	}
}

func (r *Report) castLast(name string, c *cast) {
	if len(c.last) > 0 {
		r.figure(name+"_p50", median(c.last), "s", Lower)
		r.figure(name+"_max", maxOf(c.last), "s", Lower)
	}
}

// busyCasts repeats the broadcasts while a publisher runs.
func (r *run) busyCasts(ctx context.Context, b Broadcast) (*cast, error) {
	pub, err := NewPublisher(ctx, Publish{Node: r.target.Node.Addr(), Rate: b.Rate, Users: b.Conns, Size: b.Size, Seed: 1})
	if err != nil {
		return nil, err
	}
	defer pub.Close()
	pctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	go func() { result <- pub.Run(pctx) }() // ended by stop
	c, err := r.casts(ctx, b.Rounds, b.Bytes)
	stop()
	if perr := <-result; err == nil {
		err = perr
	}
	r.pub = pub
	p := pub.Snapshot()
	r.report.judge(&p, 0)
	return c, err
}

// casts sends n broadcasts of size bytes one after another.
func (r *run) casts(ctx context.Context, n, size int) (*cast, error) {
	if size < PayloadMin {
		return nil, fmt.Errorf("broadcast of %d bytes: the time stamp needs %d or more", size, PayloadMin)
	}
	sum := new(cast)
	clock, body := swarm.NewClock(), newPayload(size, castKind, nil)
	for i := range n {
		if err := pause(ctx, castPause); err != nil {
			return sum, err
		}
		if err := r.castOnce(ctx, clock, body, sum); err != nil {
			return sum, err
		}
		c := r.swarm.Snapshot()
		r.line(fmt.Sprintf("broadcast %d to %s: last receipt %s", i+1, commas(c.Open), span(sum.last[len(sum.last)-1])))
	}
	return sum, nil
}

func (r *run) castOnce(ctx context.Context, clock swarm.Clock, body *payload, sum *cast) error {
	open := r.swarm.Snapshot().Open
	before := r.take()
	seen := before.latency.Kind[castKind].Count()
	t := clock.Now()
	ctx, cancel := context.WithTimeout(ctx, castTimeout)
	defer cancel()
	asked := make(chan error, 1)
	go func() { // ended by ctx
		_, err := r.target.Node.Broadcast(ctx, pushdapi.Send{Data: body.appendData(nil, t)})
		asked <- err
	}()
	end := before
	arrived := func() int64 { return int64(end.latency.Kind[castKind].Count() - seen) }
	for arrived() < open && ctx.Err() == nil {
		if pause(ctx, 2*time.Millisecond) == nil {
			end.latency = r.swarm.Latency(false)
		}
	}
	err := <-asked
	if ctx.Err() == nil && err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	// What the node still does after the last write belongs to the broadcast.
	_ = pause(context.WithoutCancel(ctx), 5*time.Millisecond)
	got := arrived()
	last := end.latency.Last[castKind]
	iv := before.until(r.take())
	sum.deliveries += got
	sum.missing += open - got
	sum.cpu += iv.cpu
	sum.last = append(sum.last, float64(last-t)/1e9)
	sum.unicast.Merge(&iv.latency.Kind[0])
	return nil
}

// pause sleeps unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
