package bench

import (
	"context"
	"time"
)

// Msggen publishes to users that others hold.
type Msggen struct {
	Publish
	For    time.Duration // 0: until Count, or interrupted
	Report string
}

// RunMsggen publishes at a steady rate and says how late it was itself.
func RunMsggen(ctx context.Context, out *Out, t *Target, m Msggen) (*Report, error) {
	r := newRun(out, t, "msggen")
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	m.Node = t.Node.Addr()
	r.report.Rate = m.Rate
	r.phase = "load"
	err := r.publish(ctx, m.Publish, m.For)
	p := r.end()
	if p == nil {
		return nil, err
	}
	if err != nil && ctx.Err() == nil {
		r.report.invalid("%v", err)
	} else if err != nil && m.For > 0 {
		r.report.Ended = "interrupted"
	}
	r.report.judge(p, m.Rate)
	r.finish()
	r.report.Title = "msggen: " + rateText(m.Rate)
	if p.Errors > 0 {
		r.report.wrong("the node refused %s: %s", plural(p.Errors, "line"), p.Error)
	}
	out.linef("sent %s in %s, %s/s   delivered %s  absent %s  kept %s", commas(p.Sent), span(r.report.Seconds),
		commas(float64(p.Sent)/r.report.Seconds), commas(p.Result.Delivered), commas(p.Result.Absent), commas(p.Result.Kept))
	out.linef("generator lag p50 %s  p99 %s  max %s   held back by the node %s",
		span(must(r.report, "generator_lag_p50")), span(must(r.report, "generator_lag_p99")),
		span(must(r.report, "generator_lag_max")), span(p.Blocked.Seconds()))
	out.verdict(r.report)
	return r.report, r.write(m.Report)
}
