package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// waitDefault is how long a change waits for nodes to have applied it.
const waitDefault = 5 * time.Second

func knobSetCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "turn knobs",
		UsageText: "pushctl knob set NAME VALUE [NAME VALUE]… [--on SCOPE] [--for TIME]\n[--plan STEPS --soak TIME] [--guard EXPR] [--why TEXT] …",
		Description: `VALUE has the knob's unit: 256, 64KiB, 30s, 5%, drop-oldest. Several knobs are one transaction. The nodes are asked first: if one refuses, nothing changes. Exit status 3: committed, but some nodes have not applied it.

  pushctl knob set queue.messages_max 256 --why 'memory at peak, INC-311'
  pushctl knob set queue.bytes_max 64KiB --on node=gw-3 --for 10m
  pushctl knob set queue.messages_max 256 --plan 1,5%,25%,all --soak 1m \
      --guard 'drops.10s < 5/s && wait.p99.10s < 2s'
  pushctl knob set heartbeat.ws.timeout 90s --dry-run
  pushctl knob set conns.max 0 --now --all --why 'evacuate, INC-312'

--plan gives the value to one node, then 5 % and so on, soaks after each step, and takes all back when the guard breaks. --now --all breaks the glass: past freezes and rollouts.

A guard compares a node's own figures: conns, queued, queued.bytes, oldest, wait.p50, wait.p99, wait.p999, loops.silent, memory.bytes, memory.heap_bytes, gc, sched.p99, cpu.10s; and over 1s, 10s or 100s, as in drops.10s: accepts, published, delivered, received, drops, closed, queued.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "on", Usage: "for `SCOPE`: fleet (the default), a label as app=shop, or node=NAME", Value: "fleet"},
			&cli.GenericFlag{Name: "for", Usage: "go back after `TIME`, with every keeper dead too", Value: &span{}},
			&cli.StringFlag{Name: "guard", Usage: "a node goes back by itself when `EXPR` does not hold"},
			&cli.StringFlag{Name: "plan", Usage: "step by step: `STEPS` as 1,5%,25%,all"},
			&cli.DurationFlag{Name: "soak", Usage: "wait `TIME` after each step of the plan (1m)", Value: time.Minute},
			&cli.BoolFlag{Name: "now", Usage: "with --all: past freezes and rollouts, needs --why"},
			&cli.BoolFlag{Name: "all", Usage: "with --now: everybody at once"},
			localFlag(),
		}, changeFlags()...),
		Action: e.fleetOrLocal(2, -1, keeperapi.RoleOperate, fleetKnobSet, localKnobSet),
	}
}

// changeFlags are those of every change to values.
func changeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "why", Usage: "reason kept in the history: `TEXT`"},
		&cli.BoolFlag{Name: "dry-run", Usage: "ask the nodes and show the difference, change nothing"},
		&cli.Uint64Flag{Name: "if-rev", Usage: "refuse if a knob changed after revision `N`"},
		&cli.DurationFlag{Name: "wait", Usage: "wait `TIME` for the nodes to apply it (5s)", Value: waitDefault},
		&cli.BoolFlag{Name: "no-wait", Usage: "return once it is committed"},
	}
}

// askOf reads the flags that are about how to change, not what.
func askOf(c *cli.Context) (keeperapi.Ask, error) {
	a := keeperapi.Ask{Why: strings.TrimSpace(c.String("why")), DryRun: c.Bool("dry-run")}
	wait := c.Duration("wait")
	if wait < 0 || wait > keeperapi.WaitMaxMS*time.Millisecond {
		return a, usagef("--wait %s: want 0s to %s", wait, keeperapi.WaitMaxMS*time.Millisecond)
	}
	if !c.Bool("no-wait") && !a.DryRun {
		a.WaitMS = wait.Milliseconds()
	}
	return a, nil
}

// ifRev is the revision of a compare-and-set, nil if none is asked for.
func ifRev(c *cli.Context) *uint64 {
	if !c.IsSet("if-rev") {
		return nil
	}
	return new(c.Uint64("if-rev"))
}

// pairs reads NAME VALUE [NAME VALUE]….
func pairs(c *cli.Context, scope keeperapi.Scope) ([]keeperapi.Assign, error) {
	args := c.Args().Slice()
	if len(args)%2 != 0 {
		return nil, usagef("%s: %s has no value: %s", short(c.Command), args[len(args)-1], "give NAME VALUE pairs")
	}
	var as []keeperapi.Assign
	for i := 0; i < len(args); i += 2 {
		as = append(as, keeperapi.Assign{Knob: args[i], Scope: scope, Value: args[i+1]})
	}
	return as, nil
}

// checkSet refuses flags that do not go together.
func checkSet(c *cli.Context) error {
	now, all, plan := c.Bool("now"), c.Bool("all"), c.String("plan") != ""
	switch {
	case now != all:
		return usagef("knob set: --now and --all go together, so that nobody breaks the glass by accident; add --why TEXT too")
	case now && strings.TrimSpace(c.String("why")) == "":
		return usagef("knob set: --now --all passes freezes and rollouts: say why with --why TEXT")
	case now && plan:
		return usagef("knob set: --plan goes step by step and --now --all does not: leave one")
	case c.IsSet("soak") && !plan:
		return usagef("knob set: --soak is the time between the steps of a plan: add --plan 1,5%%,25%%,all")
	case c.Duration("soak") < 0:
		return usagef("knob set: --soak %s: want a time, for example 1m", c.Duration("soak"))
	}
	return nil
}

func fleetKnobSet(f *fleet, c *cli.Context) error {
	if err := checkSet(c); err != nil {
		return err
	}
	f.breakGlass(c)
	as, err := pairs(c, keeperapi.Scope(c.String("on")))
	if err != nil {
		return err
	}
	ask, err := askOf(c)
	if err != nil {
		return err
	}
	last, guard := c.Generic("for").(*span).d, strings.TrimSpace(c.String("guard"))
	if plan := c.String("plan"); plan != "" {
		return f.startRollout(c.Context, keeperapi.RolloutStart{Changes: as, Steps: splitList(plan), SoakMS: c.Duration("soak").Milliseconds(),
			Guard: guard, ForMS: last.Milliseconds(), IfRev: ifRev(c)}, ask, c.Bool("no-wait"))
	}
	t := keeperapi.Txn{Changes: as, ForMS: last.Milliseconds(), Guard: guard, IfRev: ifRev(c), NowAll: c.Bool("now")}
	a, err := f.Txn(c.Context, keeperapi.TxnRequest{Txn: t, Ask: ask})
	return f.answer(a, err, table.Terms(last, guard, f.now()))
}

// breakGlass notes that the command takes more than turning knobs does.
func (f *fleet) breakGlass(c *cli.Context) {
	if c.Bool("now") {
		f.need = keeperapi.RoleAdmin
	}
}

// answer prints what a change did, and fails when nodes have not followed.
func (f *fleet) answer(a *keeperapi.Answer, err error, terms string) error {
	if err != nil {
		return err
	}
	if a.Error != nil {
		return a.Error
	}
	if err := f.print(f.answerView(a, terms)); err != nil {
		return err
	}
	return lagging(a)
}

func (f *fleet) answerView(a *keeperapi.Answer, terms string) *view {
	return &view{lines: func() []string { return table.Answer(a, terms, f.wide(), f.style) }, docs: []any{a}, rows: []any{a}}
}

// lagging names the nodes that have not applied a change.
func lagging(a *keeperapi.Answer) error {
	p := a.Applied
	if p == nil || p.Applied >= p.Of && len(p.Nacked) == 0 {
		return nil
	}
	undo := []string{"pushctl knob rollback", strconv.FormatUint(a.Revision-1, 10)}
	for _, d := range a.Changes {
		if !slices.Contains(undo, d.Knob) {
			undo = append(undo, d.Knob)
		}
	}
	err := fmt.Errorf("%s is committed, but %d of %s not applied it", table.Rev(p.Revision), p.Of-p.Applied, have(p.Of))
	return &hinted{&partialError{err}, "  how far they are  pushctl nodes\n" +
		"  undo it           " + strings.Join(undo, " ")}
}

// have makes a count of nodes the subject of a sentence.
func have(n int) string {
	if n == 1 {
		return "1 node has"
	}
	return fmt.Sprintf("%d nodes have", n)
}

func localKnobSet(o *options, nodes []*pushdapi.Client, c *cli.Context) error {
	for _, flag := range []string{"on", "for", "guard", "plan", "soak", "now", "all", "wait", "no-wait"} {
		if c.IsSet(flag) {
			return usagef("knob set: --%s takes keepers: leave it away with --local", flag)
		}
	}
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	set := pushdapi.KnobSet{Value: c.Args().Get(1), Why: c.String("why"), DryRun: c.Bool("dry-run"), IfRev: c.Uint64("if-rev")}
	return knobSet(c.Context, o, nodes, c.Args().First(), set)
}
