package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

func probeGCCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "gc", Usage: "each cycle of the collector: pauses, marking, heap",
		UsageText: "pushctl probe gc --pid N [--duration TIME] [--assist] [--hist]",
		Description: `Pauses are by the runtime's own timestamps, so they agree with what the process itself would say; a node is asked, and the last line tells. Beside each cycle of a node stands what its recorder says of the same second: waits of messages and of goroutines. --assist adds where goroutines had to help marking before they got memory; only these have stacks for --pprof and --flame.

  pushctl probe gc --pid 4711 --duration 30s
  pushctl probe gc --pid 4711 --assist --flame assist.svg
  pushctl probe gc --pid 4711 -o ndjson | jq .stop_mark_seconds`,
		Flags: probeFlags(true, append(stackFlags(), &cli.BoolFlag{Name: "assist", Usage: "also show where goroutines had to help"})...),
		Action: func(c *cli.Context) error {
			if !c.Bool("assist") && (c.IsSet("pprof") || c.IsSet("flame")) {
				return usagef("probe gc: --pprof and --flame need --assist: only assists have stacks")
			}
			p, err := e.probing(c, probe.Find)
			if err != nil {
				return err
			}
			defer p.target.Close()
			return p.gc(c, c.Bool("assist"))
		},
	}
}

func (p *probing) gc(c *cli.Context, assist bool) error {
	ctx := c.Context
	var why string
	if p.node == nil {
		var err error
		if p.node, err = p.findAPI(ctx); err != nil {
			why = err.Error() + "; name it with --node ADDR"
		}
	}
	show, began := func(*probe.Cycle) {}, func() {}
	if p.forPeople() { // cycles are shown as they end, or their second does
		show = func(c *probe.Cycle) {
			began() // a cycle may end before the probe says so
			fmt.Fprintln(p.out, cycleLine(c, p.node != nil))
		}
		began = sync.OnceFunc(func() { fmt.Fprintln(p.out, cycleHead(p.node != nil)) })
	}
	by := newBeside(ctx, p.node, show)
	by.why = cmp.Or(by.why, why)
	r, err := p.watchGC(ctx, probe.GCOptions{Options: p.Options, Assist: assist, Cycle: by.ended}, by, began)
	if err != nil {
		return err
	}
	var rows []any
	for _, c := range r.Cycles {
		rows = append(rows, c)
	}
	if !p.forPeople() { // documents have no place for it
		for _, l := range by.lines() {
			fmt.Fprintln(p.err, l)
		}
	}
	lines := func() []string { return append(by.lines(), gcLines(r, p.hist)...) }
	if err := p.print(&view{docs: []any{r}, rows: rows, lines: lines}); err != nil {
		return err
	}
	return p.files(r.Stacks(), "assists", gcTitle(r), &r.Run)
}

// watchGC runs the probe beside the node's recorder, and asks the node at both
// ends what its runtime counts.
func (p *probing) watchGC(ctx context.Context, o probe.GCOptions, by *beside, began func()) (*probe.GCReport, error) {
	var before, after probe.Said
	failed := errors.New("not asked")
	o.Began = began
	if p.node != nil {
		o.Began = func() {
			began()
			before, failed = said(ctx, p.node)
		}
		o.Ending = func() { // also when it was interrupted
			var err error
			after, err = said(context.WithoutCancel(ctx), p.node)
			failed = cmp.Or(failed, err)
		}
	}
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { by.follow(following) }) // ended by stop
	r, err := probe.GC(ctx, p.target, o)
	stop()
	wg.Wait()
	if err != nil {
		return nil, err
	}
	by.finish(context.WithoutCancel(ctx))
	switch {
	case p.node == nil:
	case r.End == probe.EndExited:
		by.unknown = "the process has ended"
	case failed != nil:
		by.unknown = cause(failed)
	case r.Lost.Total() > 0:
		by.unknown = "the probe lost events"
	default:
		a := r.Compare(before, after)
		r.Runtime = &a
	}
	return r, nil
}

func gcTitle(r *probe.GCReport) string {
	return fmt.Sprintf("assists of the collector, %s[%d], %.1f s", r.Name, r.PID, r.Seconds)
}

// cycleHead is the heading of cycles: the waits are of a node's second.
func cycleHead(waits bool) string {
	const top, under = "cycle begun      heap          goal   stop   stop   mark assist",
		"      by      before→live            sweep   mark"
	if waits {
		return top + "   wait  sched\n" + under + "                  p99    p99"
	}
	return top + "\n" + under
}

func cycleLine(c *probe.Cycle, waits bool) string {
	assist := table.Dash
	if c.Assist > 0 {
		assist = table.Seconds(c.Assist)
	}
	line := fmt.Sprintf("%5d %-6s%8s→%-7s%7s%7s%7s%7s%7s", c.N, c.Trigger, table.Bytes(c.Before), table.Bytes(c.After), table.Bytes(c.Goal),
		table.Seconds(c.StopSweep), table.Seconds(c.StopMark), table.Seconds(c.Mark), assist)
	if !waits {
		return line
	}
	b := cmp.Or(c.Beside, &probe.Beside{})
	return fmt.Sprintf("%s%7s%7s", line, orDash(b.Wait), orDash(b.Sched))
}

// gcLines follow the cycles.
func gcLines(r *probe.GCReport, hist bool) []string {
	lines := append(endLines(&r.Run), fmt.Sprintf("pauses %s  p50 %s  p99 %s  max %s  total %s (%s)", table.Count(r.Pauses.Count),
		table.Seconds(r.Pauses.P50), table.Seconds(r.Pauses.P99), table.Seconds(r.Pauses.Max), table.Seconds(r.Pauses.Total),
		table.Percent(100*r.Pauses.Total/max(r.Seconds, 1e-9))))
	if agree := agreeLine(r.Runtime); agree != "" {
		lines = append(lines, agree)
	}
	if r.Other.Count > 0 {
		lines = append(lines, fmt.Sprintf("stopped %s more for other reasons, total %s", times(r.Other.Count), table.Seconds(r.Other.Total)))
	}
	if hist {
		lines = append(append(lines, ""), histLines(r.Hist)...)
	}
	if len(r.Assists) > 0 {
		lines = append(append(lines, ""), assistLines(r.Assists)...)
	}
	return append(lines, runLine(&r.Run, table.Plural(int64(r.Count), "cycle")))
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return table.Count(n) + " times"
}

// assistTop is how many places of assists a screen shows; the documents hold
// all.
const assistTop = 10

func assistLines(as []probe.Assist) []string {
	lines := []string{timesHead("ASSISTS")}
	for _, a := range as[:min(len(as), assistTop)] {
		f := a.Stack.Site()
		lines = append(lines, placeLine("", f), timesLine(&a.Times))
	}
	return lines
}
