package bench

import (
	"context"
	"fmt"
	"time"
)

// Soak holds connections and publishes to them.
type Soak struct {
	Clients
	Publish
	For    time.Duration
	Report string // files to write, without suffix; "": none
}

// settle is the time between ramp and load, for both sides to come to rest.
const settle = time.Second

// RunSoak runs flood and publisher together and measures the node meanwhile.
func RunSoak(ctx context.Context, out *Out, t *Target, s Soak) (*Report, error) {
	r := newRun(out, t, "soak")
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	before := r.pss(ctx)
	if err := r.plan(s.Clients); err != nil {
		return nil, err
	}
	defer r.swarm.Close()
	err := r.connect(ctx)
	if err == nil {
		err = r.sleep(ctx, settle)
	}
	if err == nil {
		err = r.soak(ctx, &s)
	}
	switch {
	case err != nil && ctx.Err() == nil && r.pub == nil:
		return nil, err // nothing to report yet
	case err != nil && ctx.Err() == nil:
		r.report.invalid("%v", err)
	case err != nil:
		r.report.Ended = "interrupted"
	}
	memory := r.memory(context.WithoutCancel(ctx), before)
	if memory != "" {
		memory += r.flat()
	}
	r.finish()
	r.report.Title = fmt.Sprintf("soak: %s, %s", plural(int64(s.Conns), "connection"), rateText(s.Rate))
	r.summary(memory)
	out.verdict(r.report)
	return r.report, r.write(s.Report)
}

func rateText(rate float64) string {
	if rate == 0 {
		return "as fast as possible"
	}
	return commas(rate) + " messages/s"
}

// soak is the loaded part.
func (r *run) soak(ctx context.Context, s *Soak) error {
	p := s.Publish
	p.Node, p.Users, p.Received = r.target.Node.Addr(), s.Conns, r.swarm.Received
	r.report.Rate = p.Rate
	r.phase = "load"
	r.mark()
	begin := r.take()
	err := r.publish(ctx, p, s.For)
	published := r.end()
	if published == nil {
		return err
	}
	r.phase = "drain"
	r.drain(ctx, begin.received+int64(published.Result.Delivered), s.exact())
	return r.results(begin, published, s, err)
}

// end reads what the publisher did, nil if there was none.
func (r *run) end() *Published {
	if r.pub == nil {
		return nil
	}
	p := r.pub.Snapshot()
	r.report.Seconds = p.Sending.Seconds()
	return &p
}

func (r *run) results(begin mark, p *Published, s *Soak, err error) error {
	iv := begin.until(r.take())
	c := r.swarm.Snapshot()
	exact := s.exact()
	if st := r.stats(context.Background()); st != nil && st.Connections.Total > c.Open {
		exact = false
		r.report.note("the node has %s of others", plural(st.Connections.Total-c.Open, "connection"))
	}
	r.report.check(c, p, iv.received, exact && err == nil)
	r.report.judge(p, s.Rate)
	if s.Rate > 0 {
		r.report.latency("latency", quantiles(&iv.latency.Kind[s.Kind]))
	}
	r.report.costs(iv)
	return err
}

// costs are the node's CPU and switches per message received.
func (r *Report) costs(iv interval) {
	n := float64(iv.received)
	r.figure("receive_rate", n/max(r.Seconds, 1e-9), "1/s", Higher)
	if n == 0 || iv.cpu <= 0 {
		return
	}
	r.figure("cpu_per_10k", iv.cpu/n*1e4, "s", Lower)
	r.figure("deliveries_per_cpu_second", n/iv.cpu, "1/s", Higher)
	if iv.switches > 0 { // threads that ended take theirs with them
		r.figure("switches_per_message", iv.switches/n, "1", Lower)
	}
}

// flat notes how much the node's memory grew under load, and says it.
func (r *run) flat() string {
	var load []Sample
	for _, s := range r.report.Samples {
		if s.Phase == "load" && s.NodePSS > 0 {
			load = append(load, s)
		}
	}
	if len(load) < 2 {
		return ""
	}
	grown := float64(load[len(load)-1].NodePSS)/float64(load[0].NodePSS) - 1
	r.report.figure("memory_growth", grown, "share", Lower)
	return fmt.Sprintf(", %+.1f %% over the run", grown*100)
}

// summary prints the figures in a few lines.
func (r *run) summary(memory string) {
	rep := r.report
	if _, ok := rep.Get("latency_p50"); ok {
		r.out.linef("latency from intended send   p50 %s  p99 %s  p99.9 %s  max %s",
			get(rep, "latency_p50"), get(rep, "latency_p99"), get(rep, "latency_p999"), get(rep, "latency_max"))
	}
	if cpu, ok := rep.Get("cpu_per_10k"); ok {
		r.out.linef("node  cpu %.2f s/10k msg, %s deliveries per cpu-s, %s switches/msg", cpu,
			commas(must(rep, "deliveries_per_cpu_second")), get(rep, "switches_per_message"))
	} else if r.target.PID == 0 {
		r.out.linef("node  cpu not known: its process was not found (run as its user, or as root)")
	}
	if memory != "" {
		r.out.linef("node  %s", memory)
	}
	if c := rep.Clients; c != nil {
		r.out.linef("lost %s, duplicates %s, out of order %s, announced as dropped %s",
			commas(c.Lost), commas(c.Duplicates), commas(c.OutOfOrder), commas(c.Declared))
		if c.Closed > 0 {
			r.out.linef("closed: %s", reasons(c.ClosedBy))
		}
	}
	if len(rep.Invalid) == 0 && rep.Rate > 0 {
		r.out.linef("generator lag p99 %s: valid", get(rep, "generator_lag_p99"))
	}
}

func must(r *Report, name string) float64 {
	v, _ := r.Get(name)
	return v
}
