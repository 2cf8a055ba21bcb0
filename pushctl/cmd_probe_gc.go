package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

func probeGCCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "gc", Usage: "each cycle of the collector: pauses, marking, heap",
		UsageText: "pushctl probe gc --pid N [--duration TIME] [--assist] [--hist]",
		Description: `Pauses are by the runtime's own timestamps, so they agree with what the process itself would say. --assist adds where goroutines had to help marking before they got memory; only these have stacks for --pprof and --flame.

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
	o := probe.GCOptions{Options: p.Options, Assist: assist}
	if p.forPeople() { // cycles are shown as they end
		fmt.Fprintln(p.out, cycleHead)
		o.Cycle = func(c *probe.Cycle) { fmt.Fprintln(p.out, cycleLine(c)) }
	}
	r, err := probe.GC(c.Context, p.target, o)
	if err != nil {
		return err
	}
	var rows []any
	for _, c := range r.Cycles {
		rows = append(rows, c)
	}
	if err := p.print(&view{docs: []any{r}, rows: rows, lines: func() []string { return gcLines(r, p.hist) }}); err != nil {
		return err
	}
	return p.files(r.Stacks(), "assists", gcTitle(r), &r.Run)
}

func gcTitle(r *probe.GCReport) string {
	return fmt.Sprintf("assists of the collector, %s[%d], %.1f s", r.Name, r.PID, r.Seconds)
}

const cycleHead = " cycle  trigger    heap before→live      goal  stop sweep   stop mark      mark"

func cycleLine(c *probe.Cycle) string {
	return fmt.Sprintf("%6d  %-8s%10s→%-9s%9s%12s%12s%10s", c.N, c.Trigger, table.Bytes(c.Before), table.Bytes(c.After), table.Bytes(c.Goal),
		table.Seconds(c.StopSweep), table.Seconds(c.StopMark), table.Seconds(c.Mark))
}

// gcLines follow the cycles.
func gcLines(r *probe.GCReport, hist bool) []string {
	lines := append(endLines(&r.Run), fmt.Sprintf("pauses %s  p50 %s  p99 %s  max %s  total %s (%s)", table.Count(r.Pauses.Count),
		table.Seconds(r.Pauses.P50), table.Seconds(r.Pauses.P99), table.Seconds(r.Pauses.Max), table.Seconds(r.Pauses.Total),
		table.Percent(100*r.Pauses.Total/max(r.Seconds, 1e-9))))
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
