package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

// schedTop is how many threads a screen shows.
const schedTop = 20

func probeSchedCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "sched", Usage: "how long its threads wait for a processor",
		UsageText: "pushctl probe sched --pid N [--duration TIME] [--top N] [--hist]",
		Description: `From the moment a thread is ready, or is put aside for another one, until it runs. Long waits mean that the machine has too few processors for all who want them. Works on a process of any kind.

  pushctl probe sched --pid 4711 --hist`,
		Flags: probeFlags(true, &cli.IntFlag{Name: "top", Value: schedTop, Usage: "show `N` threads (20)"}),
		Action: func(c *cli.Context) error {
			if c.Int("top") < 1 {
				return usagef("--top %d: want 1 or more", c.Int("top"))
			}
			p, err := e.probing(c, probe.FindAny)
			if err != nil {
				return err
			}
			defer p.target.Close()
			r, err := probe.Sched(c.Context, p.target, p.Options)
			if err != nil {
				return err
			}
			var rows []any
			for i := range r.Threads {
				rows = append(rows, &r.Threads[i])
			}
			return p.print(&view{docs: []any{r}, rows: rows, lines: func() []string { return schedLines(r, c.Int("top"), p.hist, p.style) }})
		},
	}
}

func schedLines(r *probe.SchedReport, top int, hist bool, st table.Style) []string {
	lines := append([]string{runLine(&r.Run, table.Plural(int64(r.All.Count), "wait"))}, endLines(&r.Run)...)
	right := func(head string) table.Column { return table.Column{Head: head, Right: true} }
	g := &table.Grid{Columns: []table.Column{right("THREAD"), {Head: "NAME", Flex: true}, right("WAITS"), right("TOTAL"), right("P50"), right("P99"), right("MAX")}}
	row := func(tid, name string, t *probe.Times) {
		g.Rows = append(g.Rows, []table.Text{{S: tid}, {S: table.Safe(name)}, {S: table.Count(t.Count)}, {S: table.Seconds(t.Total)}, {S: tiny(t.P50)}, {S: tiny(t.P99)}, {S: table.Seconds(t.Max)}})
	}
	row("all", "", &r.All)
	for i := range r.Threads[:min(top, len(r.Threads))] {
		t := &r.Threads[i]
		row(fmt.Sprint(t.TID), t.Name, &t.Times)
	}
	lines = append(append(lines, ""), g.Lines(table.Columns, st)...)
	if hist {
		lines = append(append(lines, ""), histLines(r.Hist)...)
	}
	return lines
}
