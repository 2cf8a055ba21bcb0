package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

func probeCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "probe", Category: "inside", Usage: "look into a running Go process with eBPF",
		UsageText:   "pushctl probe COMMAND",
		Description: "Needs root, or what probe check names. Works on any " + probe.Releases() + " program on this host, stripped or not, without restarting it. Breakpoints are gone when the probe ends, however it ends. With --node the process is that of the node; a node on another host is probed there, by pushctl on that host, and what to run is printed.\n\n  pushctl probe check\n  pushctl probe lock --pid 4711\n  pushctl probe gc --node /run/pushd/admin.sock",
		Subcommands: []*cli.Command{probeLockCommand(e), probeGCCommand(e), probeCPUCommand(e), probeSchedCommand(e), probeNetCommand(e), probeCheckCommand(e)},
	}
}

// Bounds of the flags of probes.
const (
	probeDuration    = 10 * time.Second
	probeDurationMax = time.Hour
	probeIntervalMin = 100 * time.Millisecond
)

// probeFlags are those of every probe of a process, and those of where stacks
// go for probes that have them.
func probeFlags(hist bool, more ...cli.Flag) []cli.Flag {
	flags := []cli.Flag{
		&cli.IntFlag{Name: "pid", Usage: "probe process `N`; --node ADDR instead: the node's"},
		&cli.DurationFlag{Name: "duration", Aliases: []string{"d"}, Value: probeDuration, Usage: "watch for `TIME` (10s)"},
		&cli.StringFlag{Name: "max-cpu", Value: "2%", Usage: "take at most `SHARE` of a processor: lock pauses for it, others detach; 0 for no bound (2%)"},
	}
	if hist {
		flags = append(flags, &cli.BoolFlag{Name: "hist", Usage: "also show a histogram"})
	}
	return append(flags, more...)
}

// stackFlags are those of probes that see stacks.
func stackFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "pprof", Usage: "write stacks to `FILE` for go tool pprof"},
		&cli.StringFlag{Name: "flame", Usage: "draw stacks as a flame graph to `FILE`, an SVG"},
	}
}

// probing is what the common flags say.
type probing struct {
	*options
	probe.Options
	target       *probe.Target
	node         *pushdapi.Client // the process is this node's; nil if only its number was given
	hist         bool
	pprof, flame string
}

// probing reads the common flags and looks at the process with find. Close the
// target.
func (e *env) probing(c *cli.Context, find func(pid int) (*probe.Target, error)) (*probing, error) {
	o, err := e.rendering(c)
	if err != nil {
		return nil, err
	}
	if err := wantArgs(c, 0, 0); err != nil {
		return nil, err
	}
	p := &probing{options: o, hist: c.Bool("hist"), pprof: c.String("pprof"), flame: c.String("flame")}
	p.Duration = c.Duration("duration")
	if p.Duration <= 0 || p.Duration > probeDurationMax {
		return nil, usagef("--duration %s: want a time above zero, at most %s", p.Duration, probeDurationMax)
	}
	if p.MaxCPU, err = parseShare(c.String("max-cpu")); err != nil {
		return nil, err
	}
	for flag, name := range map[string]string{"pprof": p.pprof, "flame": p.flame} {
		if err := writable(name); err != nil {
			return nil, usagef("--%s: %w", flag, err)
		}
	}
	pid, err := p.which(c)
	if err != nil {
		return nil, err
	}
	p.target, err = find(pid)
	return p, err
}

// which process to probe: the one given, or that of the node given.
func (p *probing) which(c *cli.Context) (int, error) {
	nodes, pid := c.StringSlice("node"), c.Int("pid")
	switch {
	case c.IsSet("pid") && len(nodes) > 0:
		return 0, usagef("%s: --pid and --node both name a process: leave one out", short(c.Command))
	case len(nodes) > 1:
		return 0, usagef("%s: one --node at a time: a probe is of one process", short(c.Command))
	case len(nodes) == 1:
		p.node = p.client(nodes[0])
		return processOf(c, p.node)
	case pid <= 0:
		return 0, usagef("%s: which process? for example --pid $(pidof pushd), or --node ADDR", short(c.Command))
	}
	return pid, nil
}

// parseShare reads 2%, 2 % and 0.02 as a share of 0 to 1.
func parseShare(text string) (float64, error) {
	s, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, usagef("--max-cpu %s: want 0%% to 100%%, for example 2%%", text)
	}
	return v, nil
}

// files writes the profile and the flame graph, if they are wanted.
func (p *probing) files(ws []probe.Weighted, number, title string, r *probe.Run) error {
	d := time.Duration(r.Seconds * float64(time.Second))
	err := writeFile(p.pprof, func(w io.Writer) error { return probe.WriteProfile(w, ws, number, p.now().Add(-d), d) })
	if err != nil {
		return err
	}
	return writeFile(p.flame, func(w io.Writer) error { return probe.WriteFlame(w, ws, title) })
}

// writable tells whether a file can be written, before what is to be written
// takes its time. It leaves things as they are; pipes and devices are not tried.
func writable(name string) error {
	if st, err := os.Stat(name); name == "" || err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, fs.ErrExist) {
		if f, err = os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			err = f.Close()
		}
		return err
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(name))
}

// writeFile fills a file, or does nothing without a name.
func writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = write(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// runLine is the first line of a report: "pushd[4711] go1.26.8, 10.0 s, …".
func runLine(r *probe.Run, seen string) string {
	version := ""
	if r.Version != "" {
		version = " " + table.Safe(r.Version)
	}
	return fmt.Sprintf("%s[%d]%s, %.1f s, %s, cost %s cpu, lost %s", table.Safe(r.Name), r.PID, version, r.Seconds, seen,
		table.Percent(100*r.CostCPU), r.Lost.String())
}

// endLines say why a probe ended before its time, or did not watch all of it.
func endLines(r *probe.Run) []string {
	switch {
	case r.End == probe.EndExited:
		return []string{fmt.Sprintf("the process ended after %.1f s", r.Seconds)}
	case r.Parts > 1:
		share := r.Watched / max(r.Seconds, 1e-9)
		lines := []string{fmt.Sprintf("watched %s of the time, in %d parts, to stay within --max-cpu %s", table.Percent(100*share), r.Parts, table.Percent(100*r.MaxCPU)),
			fmt.Sprintf("for all of the time, multiply counts and totals by %.1f, or add --max-cpu %s", 1/max(share, 1e-9), enough(r))}
		if r.Lost.Cut > 0 {
			lines = append(lines, fmt.Sprintf("%s cut off by the pauses and not counted", table.Plural(int64(r.Lost.Cut), "wait")))
		}
		return lines
	case r.End == probe.EndBudget:
		return []string{fmt.Sprintf("detached after %.1f s: it took %s of a processor, and --max-cpu allows %s", r.Seconds, table.Percent(100*r.Watching()), table.Percent(100*r.MaxCPU)),
			fmt.Sprintf("to watch for longer, add --max-cpu %s (--min does not make it cheaper)", enough(r))}
	}
	return nil
}

// enough is a bound under which a probe would not have had to leave.
func enough(r *probe.Run) string {
	return fmt.Sprintf("%.0f%%", min(100, math.Ceil(150*r.Watching())))
}

// histWidth is the longest bar of a histogram.
const histWidth = 40

// histLines draw a histogram.
func histLines(bars []probe.Bar) []string {
	var most uint64
	for _, b := range bars {
		most = max(most, b.Count)
	}
	var out []string
	for _, b := range bars {
		bar := strings.Repeat("▇", int(b.Count*histWidth/max(1, most)))
		if bar == "" && b.Count > 0 {
			bar = "▏"
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("%9s to %9s %10s  %s", tiny(b.Low), tiny(b.High), table.Count(b.Count), bar), " "))
	}
	return out
}

// tiny writes times that may be below a microsecond.
func tiny(s float64) string {
	if s < 999.5e-9 {
		return fmt.Sprintf("%.0f ns", s*1e9)
	}
	return table.Seconds(s)
}

// shortFunc leaves the path of a package out: router.(*shard).bind.
func shortFunc(name string) string {
	head, rest, generic := strings.Cut(name, "[")
	head = head[strings.LastIndexByte(head, '/')+1:]
	if end := strings.LastIndexByte(rest, ']'); generic && end >= 0 {
		head += "[…]" + rest[end+1:] // types are long
	}
	return table.Safe(head)
}

// shortFile keeps the directory and the name of a file.
func shortFile(path string) string {
	parts := strings.Split(path, "/")
	return table.Safe(strings.Join(parts[max(0, len(parts)-2):], "/"))
}
