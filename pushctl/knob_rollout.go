package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func knobRolloutCommand(e *env) *cli.Command {
	list := e.onFleet(0, 0, keeperapi.RoleRead, rolloutList)
	return &cli.Command{
		Name: "rollout", Usage: "changes that go step by step",
		UsageText: "pushctl knob rollout [list|status|watch|advance|abort] [ID]",
		Description: `Started by knob set --plan. ID may be left out when one is running.

  pushctl knob rollout
  pushctl knob rollout watch ro419
  pushctl knob rollout abort ro419 --why 'wrong value'`,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "all that are remembered, the latest first", UsageText: "pushctl knob rollout list",
				Description: "  pushctl knob rollout list -o wide", Action: list},
			{Name: "status", Usage: "one with its nodes", UsageText: "pushctl knob rollout status [ID]",
				Description: "  pushctl knob rollout status ro419", Action: e.onRollout(keeperapi.RoleRead, rolloutStatus)},
			{Name: "watch", Usage: "see it go on until it ends", UsageText: "pushctl knob rollout watch [ID]",
				Description: "Exit status 1 when it ends otherwise than done.\n\n  pushctl knob rollout watch ro419",
				Action:      e.onRollout(keeperapi.RoleRead, func(f *fleet, c *cli.Context, id string) error { return f.follow(c.Context, id, true) })},
			{Name: "advance", Usage: "take the next step now", UsageText: "pushctl knob rollout advance [ID] [--force] [--why TEXT]",
				Description: "  pushctl knob rollout advance ro419 --force --why 'seen enough'",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "force", Usage: "before the soak time is over"},
					&cli.StringFlag{Name: "why", Usage: "reason kept in the audit: `TEXT`"}},
				Action: e.onRollout(keeperapi.RoleOperate, moveBy((*keeperapi.Client).AdvanceRollout, "took its next step"))},
			{Name: "abort", Usage: "end it and take back what it gave", UsageText: "pushctl knob rollout abort [ID] [--why TEXT]",
				Description: "  pushctl knob rollout abort ro419 --why 'wrong value'",
				Flags:       []cli.Flag{&cli.StringFlag{Name: "why", Usage: "reason kept in the history: `TEXT`"}},
				Action:      e.onRollout(keeperapi.RoleOperate, moveBy((*keeperapi.Client).AbortRollout, "aborted"))},
		},
		Action: orUnknown("knob", list),
	}
}

// onRollout is the action of a command about one rollout; without an ID it is
// the one that is running.
func (e *env) onRollout(need keeperapi.Role, f func(*fleet, *cli.Context, string) error) cli.ActionFunc {
	return e.onFleet(0, 1, need, func(fl *fleet, c *cli.Context) error {
		id := c.Args().First()
		if id == "" {
			var err error
			if id, err = fl.onlyRollout(c.Context); err != nil {
				return err
			}
		}
		return f(fl, c, id)
	})
}

func (f *fleet) onlyRollout(ctx context.Context) (string, error) {
	rs, err := f.Rollouts(ctx, f.read)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, r := range rs {
		if r.Phase == keeperapi.PhaseRunning {
			ids = append(ids, r.ID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", usagef("no rollout is running: give the ID of one that ended, see pushctl knob rollout list")
	}
	return "", usagef("%d rollouts are running: give one of %s", len(ids), list(ids, "or"))
}

func rolloutList(f *fleet, c *cli.Context) error {
	rs, err := f.Rollouts(c.Context, f.read)
	if err != nil {
		return err
	}
	return f.print(&view{docs: []any{whole(rs)}, rows: anys(rs),
		lines: func() []string { return table.Rollouts(rs, f.now(), f.wide(), f.style) }})
}

func rolloutStatus(f *fleet, c *cli.Context, id string) error {
	i, err := f.Client.Rollout(c.Context, id, f.read)
	if err != nil {
		return err
	}
	w := &follower{fleet: f}
	w.note(i)
	return f.print(&view{docs: []any{i}, rows: []any{i}, lines: func() []string {
		lines := append(table.RolloutHead(&i.Rollout, f.now(), f.style), w.lines(i)...)
		if nodes := table.RolloutNodes(i, f.wide(), f.style); nodes != nil {
			lines = append(append(lines, ""), nodes...)
		}
		return lines
	}})
}

type mover func(*keeperapi.Client, context.Context, string, keeperapi.RolloutMoveRequest) (*keeperapi.Answer, error)

// moveBy advances or ends a rollout.
func moveBy(move mover, done string) func(*fleet, *cli.Context, string) error {
	return func(f *fleet, c *cli.Context, id string) error {
		r := keeperapi.RolloutMoveRequest{Force: c.Bool("force"), Ask: keeperapi.Ask{Why: c.String("why"), WaitMS: waitDefault.Milliseconds()}}
		a, err := move(f.Client, c.Context, id, r)
		if err != nil {
			return err
		}
		if err := f.print(&view{docs: []any{a}, rows: []any{a}, lines: func() []string {
			return append([]string{fmt.Sprintf("%s  %s  %s", table.Rev(a.Revision), table.Safe(id), done)}, table.Followed(a, f.style)...)
		}}); err != nil {
			return err
		}
		return lagging(a)
	}
}

// startRollout begins a rollout and shows how it goes on.
func (f *fleet) startRollout(ctx context.Context, r keeperapi.RolloutStart, ask keeperapi.Ask, noWait bool) error {
	ask.WaitMS = 0 // the screen shows how the nodes follow
	a, err := f.StartRollout(ctx, keeperapi.RolloutRequest{RolloutStart: r, Ask: ask})
	if err != nil {
		return err
	}
	if ask.DryRun || noWait {
		return f.answer(a, nil, rolloutTerms(a, &r, f))
	}
	if f.forPeople() {
		for _, l := range table.Answer(a, rolloutTerms(a, &r, f), f.wide(), f.style) {
			fmt.Fprintln(f.out, l)
		}
	}
	return f.follow(ctx, a.Rollout, false)
}

func rolloutTerms(a *keeperapi.Answer, r *keeperapi.RolloutStart, f *fleet) string {
	return table.RolloutTerms(a.Rollout, r, f.now())
}
