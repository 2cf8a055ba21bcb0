package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

// probeHertz is how often a profile looks if nothing is said: not a divisor of
// what timers of programs like.
const probeHertz = 99

// cpuTop is how many functions a screen shows.
const cpuTop = 20

func probeCPUCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "cpu", Usage: "where a process computes, also in the kernel",
		UsageText: "pushctl probe cpu --pid N [--hertz N] [--top N] [--flame F] [--pprof F]",
		Description: `Looks at the process many times a second by the kernel's clock, whether it is in its own code or in the kernel. Own is time in a function itself, all is with what it called.

  pushctl probe cpu --pid 4711 --flame cpu.svg
  pushctl probe cpu --pid 4711 --pprof cpu.pb.gz --duration 30s`,
		Flags: probeFlags(false, append(stackFlags(),
			&cli.IntFlag{Name: "hertz", Value: probeHertz, Usage: "look `N` times a second (99)"},
			&cli.IntFlag{Name: "top", Value: cpuTop, Usage: "show `N` functions (20)"})...),
		Action: func(c *cli.Context) error {
			if n := c.Int("hertz"); n < 1 || n > probe.HertzMax {
				return usagef("--hertz %d: want 1 to %d", n, probe.HertzMax)
			}
			if c.Int("top") < 1 {
				return usagef("--top %d: want 1 or more", c.Int("top"))
			}
			p, err := e.probing(c, probe.Find)
			if err != nil {
				return err
			}
			defer p.target.Close()
			return p.cpu(c, c.Int("hertz"), c.Int("top"))
		},
	}
}

func (p *probing) cpu(c *cli.Context, hertz, top int) error {
	r, err := probe.CPU(c.Context, p.target, probe.CPUOptions{Options: p.Options, Hertz: hertz})
	if err != nil {
		return err
	}
	title := fmt.Sprintf("computing, %s[%d], %.1f s", r.Name, r.PID, r.Seconds)
	var rows []any
	for i := range r.Functions {
		rows = append(rows, &r.Functions[i])
	}
	if err := p.print(&view{docs: []any{r}, rows: rows, lines: func() []string { return cpuLines(r, top, p.style) }}); err != nil {
		return err
	}
	return p.files(r.Stacks(), "samples", title, &r.Run)
}

func cpuLines(r *probe.CPUReport, top int, st table.Style) []string {
	seen := fmt.Sprintf("%s of computing in %s", table.Seconds(r.CPU), table.Plural(int64(r.Samples), "sample"))
	lines := append([]string{runLine(&r.Run, seen)}, endLines(&r.Run)...)
	if r.Samples == 0 {
		return append(lines, "it did not compute when looked at")
	}
	g := &table.Grid{Columns: []table.Column{{Head: "OWN", Right: true}, {Head: "ALL", Right: true}, {Head: "FUNCTION", Flex: true}}}
	share := func(n uint64) table.Text {
		return table.Text{S: table.Percent(100 * float64(n) / float64(r.Samples))}
	}
	for _, f := range r.Functions[:min(top, len(r.Functions))] {
		g.Rows = append(g.Rows, []table.Text{share(f.Own), share(f.All), {S: shortFunc(f.Func)}})
	}
	return append(append(lines, ""), g.Lines(table.Columns, st)...)
}
