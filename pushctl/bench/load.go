package bench

import (
	"context"
	"time"

	"pushfleet/internal/swarm"
)

// lagMax is the p99 of the generator's own lateness above which its run
// proves nothing.
const lagMax = time.Millisecond

// mark is the state of both sides at one moment.
type mark struct {
	at       time.Time
	usage    usage
	received int64
	latency  *swarm.Latency
}

// take reads the state of both sides. The process is read last at a begin and
// first at an end by being the costliest to read; errors leave zeros.
func (r *run) take() mark {
	m := mark{at: r.out.Now()}
	if r.target.PID > 0 {
		m.usage, _ = readUsage(r.target.PID)
	}
	if r.swarm != nil {
		m.received, m.latency = r.swarm.Received(), r.swarm.Latency(false)
	}
	return m
}

// interval is what happened between two marks.
type interval struct {
	seconds  float64
	cpu      float64 // seconds of the node's process
	switches float64
	received int64
	latency  *swarm.Latency
}

func (m mark) until(end mark) interval {
	iv := interval{
		seconds:  end.at.Sub(m.at).Seconds(),
		cpu:      (end.usage.CPU - m.usage.CPU).Seconds(),
		switches: float64(end.usage.Switches) - float64(m.usage.Switches),
		received: end.received - m.received,
		latency:  end.latency,
	}
	if m.latency != nil {
		for k := range iv.latency.Kind {
			iv.latency.Kind[k].Since(&m.latency.Kind[k])
		}
	}
	return iv
}

// publish runs one publisher for d (0: until its Count) while each second's
// line is printed. It returns when the node has answered.
func (r *run) publish(ctx context.Context, o Publish, d time.Duration) error {
	pub, err := NewPublisher(ctx, o)
	if err != nil {
		return err
	}
	defer pub.Close()
	r.pub = pub
	pctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	done := make(chan struct{})
	go func() { // ended by stop
		result <- pub.Run(pctx)
		close(done)
	}()
	limit := pctx
	if d > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(pctx, d)
		defer cancel()
	}
	err = r.each(limit, done)
	stop()
	perr := <-result
	switch {
	case perr != nil:
		return perr
	case ctx.Err() != nil:
		return ctx.Err()
	case limit.Err() != nil:
		return nil
	}
	return err
}

// drainQuiet is how long nothing may arrive before a run takes what is missing
// for lost.
const drainQuiet = 2 * time.Second

// drain waits until as many messages have come as the node says it delivered,
// or nothing comes any more. If not all clients read at once, that never
// happens, and it waits only so long.
func (r *run) drain(ctx context.Context, want int64, exact bool) {
	last, quiet := r.swarm.Received(), r.out.Now()
	end := quiet.Add(drainQuiet)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last < want && r.out.Now().Sub(quiet) < drainQuiet && (exact || r.out.Now().Before(end)) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := r.swarm.Received(); n != last {
			last, quiet = n, r.out.Now()
		}
	}
}

// judge says whether the generator kept its promise of asked messages per
// second; 0 promises nothing.
func (r *Report) judge(p *Published, asked float64) {
	seconds := max(p.Sending.Seconds(), 1e-9)
	lag := quantiles(&p.Lag)
	r.latency("generator_lag", lag)
	if asked == 0 {
		return
	}
	if lag.P99 > lagMax.Seconds() {
		r.invalid("the generator was late: p99 %s, limit %s; this machine is too busy, give it fewer connections or a lower rate",
			span(lag.P99), span(lagMax.Seconds()))
	}
	achieved := float64(p.Sent) / seconds
	r.figure("publish_rate", achieved, "1/s", Higher)
	if achieved < 0.98*asked {
		why := "the generator did not keep up"
		if p.Blocked.Seconds() > 0.05*seconds {
			why = "the node held the publisher back for " + span(p.Blocked.Seconds())
		}
		r.invalid("asked for %s messages/s and reached %s: %s", commas(asked), commas(achieved), why)
	}
}

// check notes what went wrong with messages. exact says that every client
// reads at once and stays, so that all that was delivered must have come.
func (r *Report) check(c swarm.Counts, p *Published, received int64, exact bool) {
	if c.Lost > 0 {
		r.wrong("%s lost without a gap frame", plural(c.Lost, "message"))
	}
	if c.Duplicates > 0 {
		r.wrong("%s came twice", plural(c.Duplicates, "message"))
	}
	if c.OutOfOrder > 0 {
		r.wrong("%s out of order", plural(c.OutOfOrder, "message"))
	}
	if c.Malformed > 0 {
		r.wrong("%s not what the protocol allows", plural(c.Malformed, "frame"))
	}
	if p == nil {
		return
	}
	if p.Errors > 0 {
		r.wrong("the node refused %s: %s", plural(p.Errors, "line"), p.Error)
	}
	if missing := int64(p.Result.Delivered) - received - c.Declared; exact && missing > 0 {
		r.wrong("%s delivered by the node did not arrive", plural(missing, "message"))
	}
	if p.Result.Absent > 0 {
		r.note("%s to users without a connection", plural(int64(p.Result.Absent), "message"))
	}
	for reason, n := range p.Result.Dropped {
		r.note("%s dropped by the node: %s", plural(int64(n), "message"), reason)
	}
}

// exact says whether all clients read at once and stay.
func (c *Clients) exact() bool {
	for _, s := range c.Profiles {
		if s.What != swarm.Fast && s.What != swarm.Silent && s.Part > 0 {
			return false
		}
	}
	return true
}
