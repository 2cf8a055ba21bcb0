package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/probe/gobin"
	"pushfleet/pushctl/table"
)

// lockTop is how many sites of each kind a screen shows, holdersTop how many
// holders of each; the documents hold all.
const (
	lockTop    = 20
	holdersTop = 3
)

func probeLockCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "lock", Usage: "contended locks of a process, its own and the kernel's",
		UsageText: "pushctl probe lock --pid N [--go|--kernel] [--min TIME] [--by WHAT]",
		Description: `Shows each line that waits for a sync.Mutex or sync.RWMutex and how long, which locks of Go's runtime put its threads to sleep (channels, timers, the scheduler, the heap), and which locks of the kernel the process waits for. A wait lasts until the goroutine runs again, so it includes the run queue; short ones that end by spinning count too, see --min. Contended locks cost the process a few µs per wait while it is probed.

  pushctl probe lock --pid 4711 --holders
  pushctl probe lock --pid 4711 --go --by lock --min 100us
  pushctl probe lock --pid 4711 --flame lock.svg --pprof lock.pb.gz
  pushctl probe lock --pid 4711 --interval 1s --duration 1m`,
		Flags: probeFlags(true, append(stackFlags(),
			&cli.BoolFlag{Name: "go", Usage: "only locks of Go and its runtime"},
			&cli.BoolFlag{Name: "kernel", Usage: "only locks of the kernel"},
			&cli.BoolFlag{Name: "both", Usage: "both (what is done without any of the three)"},
			&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Usage: "show what was seen so far every `TIME`"},
			&cli.DurationFlag{Name: "min", Usage: "leave out waits shorter than `TIME`"},
			&cli.StringFlag{Name: "by", Value: string(probe.BySite), Usage: "tell waits apart by `WHAT`: site, stack, lock or goroutine (site)"},
			&cli.StringFlag{Name: "sort", Value: "total", Usage: "largest `COLUMN` first: total, count, max or p99 (total)"},
			&cli.IntFlag{Name: "top", Value: lockTop, Usage: "show `N` sites of each kind (20)"},
			&cli.BoolFlag{Name: "holders", Usage: "also show who kept the locks"},
		)...),
		Action: func(c *cli.Context) error {
			o, err := lockFlags(c)
			if err != nil {
				return err
			}
			p, err := e.probing(c, probe.Find)
			if err != nil {
				return err
			}
			defer p.target.Close()
			o.Duration, o.MaxCPU = p.Duration, p.MaxCPU
			return p.locks(c, o, lockSort(c.String("sort")), c.Int("top"))
		},
	}
}

func lockWays() []string {
	var out []string
	for _, w := range probe.Ways() {
		out = append(out, string(w))
	}
	return out
}

func lockSorts() []string { return []string{"total", "count", "max", "p99"} }

// lockFlags reads the flags that only this probe has.
func lockFlags(c *cli.Context) (probe.LockOptions, error) {
	o := probe.LockOptions{Min: c.Duration("min"), By: probe.By(c.String("by")), Holders: c.Bool("holders")}
	both := c.Bool("both") || c.Bool("go") == c.Bool("kernel")
	o.Go, o.Kernel = both || c.Bool("go"), both || c.Bool("kernel")
	o.Interval = c.Duration("interval")
	if err := oneOf("--by", string(o.By), lockWays()); err != nil {
		return o, err
	}
	if err := oneOf("--sort", c.String("sort"), lockSorts()); err != nil {
		return o, err
	}
	switch {
	case o.Min < 0:
		return o, usagef("--min %s: want a time above zero, for example 10us", o.Min)
	case c.IsSet("interval") && o.Interval < probeIntervalMin:
		return o, usagef("--interval %s: want at least %s", o.Interval, probeIntervalMin)
	case c.Int("top") < 1:
		return o, usagef("--top %d: want 1 or more", c.Int("top"))
	case o.Holders && !o.Go:
		return o, usagef("--holders: the kernel does not tell who keeps its locks; leave --kernel out")
	}
	return o, nil
}

// lockSort returns the figure of a column.
func lockSort(column string) func(*probe.Site) float64 {
	switch column {
	case "count":
		return func(s *probe.Site) float64 { return float64(s.Count) }
	case "max":
		return func(s *probe.Site) float64 { return s.Max }
	case "p99":
		return func(s *probe.Site) float64 { return s.P99 }
	}
	return func(s *probe.Site) float64 { return s.Total }
}

func (p *probing) locks(c *cli.Context, o probe.LockOptions, key func(*probe.Site) float64, top int) error {
	show := p.printer()
	look := func(r *probe.LockReport) *view {
		slices.SortStableFunc(r.Sites, func(a, b probe.Site) int { return cmp.Compare(key(&b), key(&a)) })
		var rows []any
		for i := range r.Sites {
			rows = append(rows, &r.Sites[i])
		}
		return &view{docs: []any{r}, rows: rows, lines: func() []string { return lockLines(r, top, p.hist) }}
	}
	var failed error // to write, of a look in between
	o.Look = func(r *probe.LockReport) { failed = cmp.Or(failed, show(look(r))) }
	if p.terminal && p.forPeople() {
		sc := &screen{w: p.out, size: p.size}
		o.Look = func(r *probe.LockReport) { failed = cmp.Or(failed, sc.draw(look(r).lines())) }
		defer sc.close()
	}
	r, err := probe.Locks(c.Context, p.target, o)
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	if err := show(look(r)); err != nil {
		return err
	}
	return p.files(r.Stacks(), "contentions", fmt.Sprintf("waits for locks, %s[%d], %.1f s", r.Name, r.PID, r.Seconds), &r.Run)
}

// lockLines is the screen of a report.
func lockLines(r *probe.LockReport, top int, hist bool) []string {
	lines := append([]string{runLine(&r.Run, table.Plural(int64(r.Go.Count+r.Runtime.Count+r.Kernel.Count), "contended wait"))}, endLines(&r.Run)...)
	for _, head := range []string{headGo, headRuntime, headKernel} {
		var sites []probe.Site
		for _, s := range r.Sites {
			if lockHead(&s) == head {
				sites = append(sites, s)
			}
		}
		if len(sites) > 0 {
			lines = append(append(lines, ""), lockPart(head, sites, r.By, top)...)
		}
	}
	if len(r.Sites) == 0 {
		lines = append(lines, "nobody waited for a lock")
	}
	for _, w := range r.Waiting {
		lines = append(lines, fmt.Sprintf("%s still waiting at the end, oldest %s: %s", table.Plural(int64(len(w.Goroutines)), "goroutine"),
			table.Seconds(w.Oldest), shortFunc(w.Stack.Site().Func)))
	}
	if hist {
		lines = append(append(lines, ""), histLines(r.Hist)...)
	}
	return lines
}

// Headings of the parts of a screen.
const (
	headGo      = "GO LOCKS"
	headRuntime = "RUNTIME LOCKS"
	headKernel  = "KERNEL LOCKS"
)

func lockHead(s *probe.Site) string {
	switch {
	case s.InKernel:
		return headKernel
	case s.Kind == probe.KindRuntime:
		return headRuntime
	}
	return headGo
}

func lockPart(head string, sites []probe.Site, by probe.By, top int) []string {
	lines := []string{timesHead(head)}
	for _, s := range sites[:min(top, len(sites))] {
		lines = append(lines, lockSite(&s, by)...)
	}
	if n := len(sites) - top; n > 0 {
		lines = append(lines, fmt.Sprintf("and %s: --top %d shows them", table.Plural(int64(n), "more site"), len(sites)))
	}
	return lines
}

func lockSite(s *probe.Site, by probe.By) []string {
	f := s.Stack.Site()
	kind := fmt.Sprintf("%-8s", s.Kind)
	switch {
	case by == probe.ByLock && s.Lock != 0:
		kind += fmt.Sprintf("%#x ", s.Lock)
	case by == probe.ByGoroutine && s.Goroutine != 0:
		kind += fmt.Sprintf("g%d ", s.Goroutine)
	}
	lines := []string{placeLine(kind, f)}
	switch {
	case s.InKernel:
		way := append(slices.Clone(s.KernelSite()), shortFunc(f.Func))
		lines[0] = table.Cut(kind+table.Safe(strings.Join(way, " ← ")), table.Columns)
	case s.Kind == probe.KindRuntime:
		lines[0] = runtimeLine(kind, s.Stack)
	}
	lines = append(lines, timesLine(&s.Times))
	for _, h := range s.Holders[:min(len(s.Holders), holdersTop)] {
		lines = append(lines, placeLine(fmt.Sprintf("        held by %s× ", table.Count(h.Count)), h.Stack.Site()))
	}
	if by == probe.ByStack {
		for _, f := range s.Stack {
			lines = append(lines, placeLine("          ", f))
		}
	}
	return lines
}

// runtimeLine is the function of the runtime that takes a lock, and the line of
// the program that it works for, if there is one.
func runtimeLine(kind string, s probe.Stack) string {
	var way []string
	for _, fn := range s.RuntimeSite() {
		way = append(way, strings.TrimPrefix(shortFunc(fn), "runtime.")) // the kind says that
	}
	f := s.Site()
	f.Func = strings.Join(way, " ← ")
	if len(way) < 2 {
		f.File = "" // a line of the runtime says little
	}
	return placeLine(kind, f)
}

// placeLine is a function, and its file at the right.
func placeLine(head string, f gobin.Frame) string {
	left := head + shortFunc(f.Func)
	if f.File == "" {
		return table.Cut(left, table.Columns)
	}
	right := fmt.Sprintf("%s:%d", shortFile(f.File), f.Line)
	return table.Sides(table.Cut(left, max(table.Columns/2, table.Columns-table.Width(right)-2)), right)
}

// timesHead is the heading of timesLine.
func timesHead(head string) string {
	return fmt.Sprintf("%-17s%9s%10s%10s%10s%10s", head, "waits", "total", "p50", "p99", "max")
}

// timesLine is the figures of a place.
func timesLine(t *probe.Times) string {
	return fmt.Sprintf("%-17s%9s%10s%10s%10s%10s", "", table.Count(t.Count), table.Seconds(t.Total), tiny(t.P50), tiny(t.P99), table.Seconds(t.Max))
}
