package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// run is one bench run under way: the clients, perhaps a publisher, and a line
// and a sample each second.
type run struct {
	out    *Out
	target *Target
	report *Report
	begin  time.Time
	swarm  *swarm.Swarm
	pub    *Publisher
	phase  string
	last   struct {
		at             time.Time
		received, sent int64
		cpu            time.Duration
	}
}

func newRun(out *Out, t *Target, kind string) *run {
	if out.Now == nil {
		out.Now = time.Now
	}
	now := out.Now()
	return &run{out: out, target: t, begin: now,
		report: &Report{Kind: kind, At: now, Machine: thisMachine()}}
}

// identify notes whom the run talks to. A node without an API, such as the
// floor, has no name.
func (r *run) identify(ctx context.Context) error {
	v, err := r.target.Node.Version(ctx)
	if err != nil {
		return fmt.Errorf("no node at %s: %w; start one (make run) or name it with --node", r.target.Node.Addr(), err)
	}
	r.report.Node, r.report.Version = v.Node, v.Version
	return nil
}

// Clients says what connections a run holds.
type Clients struct {
	swarm.Options
	Unshare string // auto, on, off: descriptor tables of their own
}

// plan makes the swarm, with its own descriptor tables if it must, and prints
// the plan.
func (r *run) plan(c Clients) error {
	o := c.Options
	o.Target = r.target.Clients
	o.Unshare = c.Unshare == "on"
	s, err := swarm.New(o)
	if errors.Is(err, swarm.ErrNeedsUnshare) && c.Unshare != "off" {
		o.Unshare = true
		s, err = swarm.New(o)
	}
	if err != nil {
		return fmt.Errorf("cannot hold these connections: %w", err)
	}
	r.swarm = s
	p := s.Plan()
	r.report.Plan = &p
	r.out.linef("plan: %v", p)
	return nil
}

// rampGrace is how much longer than four times the plan a ramp may take.
const rampGrace = 30 * time.Second

// connect opens the connections and waits for them.
func (r *run) connect(ctx context.Context) error {
	r.phase = "connect"
	r.out.linef("{connected, closed, received}")
	r.swarm.Start(context.WithoutCancel(ctx)) // closed by finish, so that a report can be made
	planned := time.Duration(r.report.Plan.RampSeconds * float64(time.Second))
	limit, cancel := context.WithTimeout(ctx, 4*planned+rampGrace)
	defer cancel()
	begin := r.out.Now()
	err := r.each(limit, r.swarm.Ready())
	c, l := r.swarm.Snapshot(), r.swarm.Latency(false)
	took := r.out.Now().Sub(begin)
	q := quantiles(&l.Connect)
	r.line(fmt.Sprintf("ramp %s/s, connect p99 %s", commas(float64(c.Opened)/max(took.Seconds(), 1e-3)), span(q.P99)))
	r.report.figure("connect_rate", float64(c.Opened)/max(took.Seconds(), 1e-3), "1/s", Higher)
	r.report.figure("connect_p99", q.P99, "s", Lower)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		r.report.invalid("only %s of %s connections opened within %s: %s",
			commas(c.Open), commas(c.Target), 4*planned+rampGrace, reasons(c.FailedBy))
	case c.GivenUp > 0:
		r.report.invalid("%s of %s connections could not be opened: %s", commas(c.GivenUp), commas(c.Target), reasons(c.FailedBy))
	}
	if c.Opened == 0 {
		return fmt.Errorf("no connection opened: %s; is the client listener at %v (--addr)?", reasons(c.FailedBy), r.target.Clients)
	}
	return nil
}

// each prints a line and takes a sample every second until done or ctx ends;
// only the latter is an error.
func (r *run) each(ctx context.Context, done <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	r.mark()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			return nil
		case <-r.swarmDone():
			return errors.New("the clients ended early")
		case <-tick.C:
			r.sample(ctx)
		}
	}
}

func (r *run) swarmDone() <-chan struct{} {
	if r.swarm == nil {
		return nil
	}
	return r.swarm.Done()
}

// mark begins a new interval for rates.
func (r *run) mark() {
	r.last.at = r.out.Now()
	if r.swarm != nil {
		r.last.received = r.swarm.Received()
		r.swarm.Latency(true)
	}
	if r.pub != nil {
		r.last.sent = r.pub.Snapshot().Sent
	}
	r.last.cpu, _ = processCPU(r.target.PID)
}

// sample takes one second's figures and prints its line.
func (r *run) sample(ctx context.Context) {
	now := r.out.Now()
	dt := max(now.Sub(r.last.at).Seconds(), 1e-3)
	s := Sample{Second: now.Sub(r.begin).Seconds(), Phase: r.phase}
	if cpu, err := processCPU(r.target.PID); err == nil {
		s.NodeCPU = (cpu - r.last.cpu).Seconds() / dt
		r.last.cpu = cpu
	}
	if r.swarm != nil {
		c := r.swarm.Snapshot()
		s.Open, s.Closed = c.Open, c.Closed
		s.Received = float64(c.Received-r.last.received) / dt
		if c.Received > r.last.received { // reading latencies waits for the workers
			l := r.swarm.Latency(true)
			q := quantiles(&l.Kind[0])
			s.P50, s.P99, s.P999, s.Max = q.P50, q.P99, q.P999, q.Max
		}
		r.last.received = c.Received
	}
	if r.pub != nil {
		sent := r.pub.Snapshot().Sent
		s.Sent = float64(sent-r.last.sent) / dt
		r.last.sent = sent
	}
	if st := r.stats(ctx); st != nil {
		s.NodeAsked, s.Queued, s.NodePSS = true, st.Queued.Messages, st.Memory.PSSBytes
	}
	// Asked of the kernel, because a node may answer what it measured before.
	if pss := processPSS(r.target.PID); pss > 0 {
		s.NodePSS = pss
	}
	r.last.at = now
	r.report.Samples = append(r.report.Samples, s)
	r.line(s.text())
}

// text is what stands behind the counts on a sample's line.
func (s *Sample) text() string {
	switch {
	case s.Phase == "connect":
		return ""
	case s.Received > 0 && s.P50 > 0:
		return fmt.Sprintf("%s/s  p50 %s  p99 %s", commas(s.Received), span(s.P50), span(s.P99))
	case s.Received > 0 || s.Open > 0:
		return commas(s.Received) + "/s"
	}
	return fmt.Sprintf("sent %s/s", commas(s.Sent))
}

// statsTimeout bounds the question to the node, so that a node in trouble does
// not stop the clock of the run. It is longer than a node waits for its loops.
const statsTimeout = 900 * time.Millisecond

// pss is the node's memory: from the kernel, else what it says itself.
func (r *run) pss(ctx context.Context) int64 {
	if pss := processPSS(r.target.PID); pss > 0 {
		return pss
	}
	if st := r.stats(ctx); st != nil {
		return st.Memory.PSSBytes
	}
	return 0
}

func (r *run) stats(ctx context.Context) *pushdapi.Stats {
	if r.target.Node == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	s, err := r.target.Node.Stats(ctx)
	if err != nil {
		return nil
	}
	return s
}

// line prints one line in the form of the classic flood test.
func (r *run) line(text string) {
	var c swarm.Counts
	if r.swarm != nil {
		c = r.swarm.Snapshot()
	}
	at := runSeconds(r.out.Now().Sub(r.begin))
	if r.swarm == nil {
		r.out.linef("%s  %s", at, text)
		return
	}
	r.out.linef("%s  {%d, %d, %d}  %s", at, c.Open, c.Closed, c.Received, text)
}

// sleep passes d with a line each second; an error means ctx ended.
func (r *run) sleep(ctx context.Context, d time.Duration) error {
	end := make(chan struct{})
	t := time.AfterFunc(d, func() { close(end) })
	defer t.Stop()
	return r.each(ctx, end)
}

// finish closes the clients and fills the report's common parts.
func (r *run) finish() {
	if r.swarm != nil {
		c := r.swarm.Snapshot()
		r.report.Clients = &c
		if err := r.swarm.Close(); err != nil {
			r.report.invalid("the clients broke: %v", err)
		}
	}
	if r.pub != nil {
		p := r.pub.Snapshot()
		r.report.Published = p.report()
	}
	if _, err := processCPU(r.target.PID); r.target.PID > 0 && err != nil {
		r.report.wrong("the node's process %d is gone; its log says why", r.target.PID)
	}
}
