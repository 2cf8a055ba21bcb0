package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func knobFreezeCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "freeze", Usage: "hold a knob still, or '*' for all",
		UsageText: "pushctl knob freeze NAME|'*' --why TEXT",
		Description: `Nobody can turn it until it is thawed, except by --now --all.

  pushctl knob freeze queue.messages_max --why 'measuring, until Friday'
  pushctl knob freeze '*' --why 'sale weekend'`,
		Flags:  []cli.Flag{&cli.StringFlag{Name: "why", Usage: "reason, for whoever meets it: `TEXT`"}},
		Action: e.onFleet(1, 1, keeperapi.RoleOperate, func(f *fleet, c *cli.Context) error { return f.hold(c, false) }),
	}
}

func knobThawCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "thaw", Usage: "let go of what is frozen",
		UsageText:   "pushctl knob thaw NAME|'*' [--why TEXT]",
		Description: "  pushctl knob thaw queue.messages_max\n  pushctl knob thaw '*' --why 'the sale is over'",
		Flags:       []cli.Flag{&cli.StringFlag{Name: "why", Usage: "reason kept in the audit: `TEXT`"}},
		Action:      e.onFleet(1, 1, keeperapi.RoleOperate, func(f *fleet, c *cli.Context) error { return f.hold(c, true) }),
	}
}

func (f *fleet) hold(c *cli.Context, off bool) error {
	name, why := c.Args().First(), c.String("why")
	if !off && why == "" {
		return usagef("knob freeze: say why with --why TEXT, for whoever meets it")
	}
	a, err := f.Freeze(c.Context, keeperapi.FreezeRequest{FreezeSet: keeperapi.FreezeSet{Knob: name, Off: off}, Ask: keeperapi.Ask{Why: why}})
	if err != nil {
		return err
	}
	verb := "frozen"
	if off {
		verb = "thawed"
	}
	if name == keeperapi.AllKnobs {
		name = "all knobs"
	}
	return f.print(&view{docs: []any{a}, rows: []any{a}, lines: func() []string {
		return []string{fmt.Sprintf("%s  %s  %s", table.Rev(a.Revision), table.Safe(name), verb)}
	}})
}

func knobFreezesCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "freezes", Usage: "what is frozen, by whom and why",
		UsageText: "pushctl knob freezes", Description: "  pushctl knob freezes",
		Action: e.onFleet(0, 0, keeperapi.RoleRead, func(f *fleet, c *cli.Context) error {
			fs, err := f.Freezes(c.Context, f.read)
			if err != nil {
				return err
			}
			return f.print(&view{docs: []any{whole(fs)}, rows: anys(fs),
				lines: func() []string { return table.Freezes(fs, f.now(), f.wide(), f.style) }})
		}),
	}
}
