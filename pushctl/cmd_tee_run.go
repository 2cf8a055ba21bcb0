package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/pushctl/experiment"
	tee "pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/experiment/verdict"
)

// teeFor is how long an experiment lasts if nobody says, for each thing that is
// tried.
const teeFor = 10 * time.Minute

func teeRunCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "is it better? an experiment with a verdict",
		UsageText: "pushctl tee run --from ADDR --to ADDR --set KNOB=VALUE [--for TIME]\npushctl tee run --from ADDR --to ADDR --sweep KNOB=VALUE,VALUE\npushctl tee run --from ADDR --to NEW --control OLD",
		Description: `First the shadow runs as it is (A/A), which shows what these machines call a difference. Then what is tried (B) and what was (A) take turns in an order that is drawn. Knobs are set on the shadow only, and put back: at the end, after Ctrl-C, and by pushctl tee stop or the next experiment when pushctl itself was killed.

With --control a second shadow gets the same traffic at the same time and stays as it is: so builds are compared, on machines that are taken to be alike.

It ends early when production spends more CPU on a message (3 %, and 3 % of a core in all), delivers later (p99, 5 %) or drops more (0.1 %) than before, surely and for some time, when a node dies, when this machine cannot keep up, or when --stop-if holds. Its figures are those of guards, of the shadow with shadow. in front, and cpu.rise, p99.rise, drops.share, tap.cpu, tap.torn.

Exit status: 0 nothing got worse, 1 something got worse or had to be stopped, 3 inconclusive.

  pushctl tee run --from gw-1 --to gw-9 --sample 5% --set gc.percent=400
  pushctl tee run --from gw-1 --to gw-9 --sweep queue.messages_max=64,256,1024
  pushctl tee run --from gw-1 --to gw-new --control gw-old --amplify 3
  pushctl tee run --from gw-1 --to gw-9 --stop-if 'cpu.10s > 90%'`,
		Flags: flags(mirrorFlags(), shadowFlags(),
			&cli.StringSliceFlag{Name: "set", Usage: "try `KNOB=VALUE` on the shadow; repeat for several together"},
			&cli.StringFlag{Name: "sweep", Usage: "try each of `KNOB=VALUE,VALUE,…` by itself"},
			&cli.StringFlag{Name: "control", Usage: "compare with a second shadow at `ADDR`, fed with the same"},
			&cli.StringFlag{Name: "control-clients", Usage: "its client listener at `ADDR`"},
			&cli.GenericFlag{Name: "for", Usage: "take `TIME` in all (10m, of a sweep 10m for each value)", Value: new(span)},
			&cli.GenericFlag{Name: "aa", Usage: "take `TIME` of it for A/A (a fifth)", Value: new(span)},
			&cli.GenericFlag{Name: "window", Usage: "an arm lasts `TIME` before the other has its turn (10s)", Value: new(span)},
			&cli.StringSliceFlag{Name: "stop-if", Usage: "end when `EXPR` holds, such as 'drops.10s > 5/s'; repeatable"},
			allowFlag("cpu, p99, drops or driver"),
			&cli.Uint64Flag{Name: "seed", Usage: "draw the order of turns from `N`", Value: 1},
			&cli.StringFlag{Name: "report", Usage: "write the page to `FILE`.html and the data to FILE.json; none for neither", Value: "tee-TIME.html"}),
		Action: func(c *cli.Context) error { return e.teeRun(c) },
	}
}

// teeRun reads the flags, runs the experiment and shows what came of it.
func (e *env) teeRun(c *cli.Context) error {
	t, err := e.teeing(c, 0)
	if err != nil {
		return err
	}
	o, err := t.experiment()
	if err != nil {
		return err
	}
	name, err := t.reportFile()
	if err != nil {
		return err
	}
	unused, err := t.sides(&o)
	if err != nil {
		return err
	}
	defer unused()
	r, err := t.run(o)
	if err != nil {
		return err
	}
	r.Program, r.Command = ownVersion().Version, "pushctl "+strings.Join(os.Args[1:], " ")
	r.Settings.Amplify = c.Int("amplify")
	for _, side := range []*tee.Side{&r.From, &r.To, r.Control} {
		t.identify(side)
	}
	return t.finish(r, name)
}

// experiment is what the flags ask for, without its nodes.
func (t *teeing) experiment() (experiment.Options, error) {
	c := t.c
	o, err := t.asked()
	if err != nil {
		return o, err
	}
	for _, text := range c.StringSlice("set") {
		s, err := experiment.ParseSetting(text)
		if err != nil {
			return o, usagef("--set %w", err)
		}
		if slices.ContainsFunc(o.Set, func(other experiment.Setting) bool { return other.Name == s.Name }) {
			return o, usagef("--set %s: the knob is there twice; --sweep tries several values", s)
		}
		o.Set = append(o.Set, s)
	}
	if text := c.String("sweep"); text != "" {
		if o.Sweep, err = experiment.ParseSweep(text); err != nil {
			return o, usageError{err}
		}
		if slices.ContainsFunc(o.Set, func(s experiment.Setting) bool { return s.Name == o.Sweep[0].Name }) {
			return o, usagef("--sweep %s: --set sets the same knob", o.Sweep[0].Name)
		}
		if c.String("control") != "" {
			return o, usagef("--sweep and --control: with a second shadow one thing is compared; give one of them")
		}
	}
	for _, text := range c.StringSlice("stop-if") {
		x, err := experiment.ParseStop(text)
		if err != nil {
			return o, usagef("--stop-if %s: %w", text, err)
		}
		o.StopIf = append(o.StopIf, x)
	}
	tries, beside := max(len(o.Sweep), 1), c.String("control") != ""
	aa := t.span("aa", 0)
	if beside && len(o.Set) == 0 {
		if aa > 0 {
			return o, usagef("--aa: two shadows that differ from the beginning are never alike; leave it out, or try a knob by --set")
		}
		aa = -1
	}
	o.Mirror, o.Plan = false, experiment.NewPlan(t.span("for", teeFor*time.Duration(tries)), aa, t.span("window", 0), tries, beside, c.Uint64("seed"))
	if err := o.Plan.Check(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// reportFile is the name of the page, "" for none. That it can be written is
// found out before the experiment, not behind it.
func (t *teeing) reportFile() (string, error) {
	name := t.c.String("report")
	switch name {
	case "", "none":
		return "", nil
	case "tee-TIME.html":
		name = "tee-" + t.now().Format("2006-01-02T15-04-05") + ".html"
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".html"), ".json") + ".html"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	switch {
	case errors.Is(err, os.ErrExist):
		return "", usagef("--report %s is there already: name another file", name)
	case err != nil:
		return "", usagef("--report: %w", err)
	}
	f.Close()
	return name, os.Remove(name)
}

// commitShown is how much of a commit tells builds apart.
const commitShown = 7

// identify says which build a side runs: of two with one version the commit
// tells.
func (t *teeing) identify(side *tee.Side) {
	if side == nil || t.versions[side.Address] == nil {
		return
	}
	v := t.versions[side.Address]
	side.Go = v.Go
	if v.Commit != "" {
		side.Version = v.Version + " " + v.Commit[:min(len(v.Commit), commitShown)]
	}
}

// finish writes and prints a report and returns what it comes to.
func (t *teeing) finish(r *tee.Report, name string) error {
	if name != "" {
		if err := writeReport(r, name); err != nil {
			fmt.Fprintf(t.err, "pushctl: the report could not be written: %v\n", err)
		}
	}
	if err := t.printTee(r, name); err != nil {
		return err
	}
	return teeResult(r)
}

// teeResult turns a report into an exit status; the screen has said why.
func teeResult(r *tee.Report) error {
	switch stopped := r.Stopped; {
	case r.Result == verdict.Fail:
		return &shownError{errors.New("something got worse")}
	case stopped != nil && stopped.Reason == experiment.StopInterrupted:
		return &shownError{&partialError{errors.New("it was interrupted")}}
	case stopped != nil:
		return &shownError{errors.New(stopped.Detail)}
	case r.Result == verdict.Inconclusive:
		return &shownError{&partialError{errors.New("inconclusive")}}
	}
	return nil
}
