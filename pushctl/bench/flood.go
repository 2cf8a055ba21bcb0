package bench

import (
	"context"
	"fmt"
	"time"

	"pushfleet/internal/swarm"
)

// Flood holds connections.
type Flood struct {
	Clients
	For    time.Duration // after the ramp; 0: until interrupted
	Report string        // files to write, without suffix; "": none
}

// RunFlood opens the connections, holds them and says what became of them.
func RunFlood(ctx context.Context, out *Out, t *Target, f Flood) (*Report, error) {
	r := newRun(out, t, "flood")
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	before := r.pss(ctx)
	if err := r.plan(f.Clients); err != nil {
		return nil, err
	}
	defer r.swarm.Close()
	err := r.connect(ctx)
	if err == nil {
		r.phase = "hold"
		if f.For > 0 {
			err = r.sleep(ctx, f.For)
		} else {
			err = r.each(ctx, nil)
		}
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	if err != nil {
		r.report.Ended = "interrupted"
	}
	r.report.Seconds = r.out.Now().Sub(r.begin).Seconds()
	if text := r.memory(context.WithoutCancel(ctx), before); text != "" {
		out.linef("node  %s", text)
	}
	r.finish()
	r.report.Title = "flood of " + plural(int64(f.Conns), "connection")
	c := r.report.Clients
	if c.Malformed > 0 {
		r.report.wrong("%s frames were not what the protocol allows", commas(c.Malformed))
	}
	if c.Closed > 0 {
		out.linef("closed: %s", reasons(c.ClosedBy))
	}
	out.verdict(r.report)
	return r.report, r.write(f.Report)
}

// memory notes the node's memory per connection and returns it in words;
// before is the node's memory before the ramp, 0 if not known.
func (r *run) memory(ctx context.Context, before int64) string {
	pss, n := r.pss(ctx), r.swarm.Snapshot().Open
	if pss == 0 || n == 0 {
		return ""
	}
	r.report.figure("memory_pss", float64(pss), "B", Lower)
	r.report.figure("memory_per_connection", float64(pss)/float64(n), "B", Lower)
	text := fmt.Sprintf("memory %s B/connection", commas(float64(pss)/float64(n)))
	if before > 0 {
		grown := float64(pss-before) / float64(n)
		r.report.figure("memory_growth_per_connection", grown, "B", Lower)
		text += fmt.Sprintf(", %s B without the %s of the empty node", commas(grown), swarm.Bytes(before))
	}
	return text
}

// write writes the report's files.
func (r *run) write(base string) error {
	if base == "" {
		return nil
	}
	names, err := r.report.Write(base)
	r.out.files(names)
	return err
}
