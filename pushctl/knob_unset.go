package main

import (
	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
)

func knobUnsetCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "unset", Usage: "take a scope's value away, so that the next weaker counts",
		UsageText: "pushctl knob unset NAME… [--on SCOPE] [--why TEXT]",
		Description: `  pushctl knob unset queue.messages_max
  pushctl knob unset queue.messages_max --on node=gw-3 --why 'gw-3 is repaired'`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "on", Usage: "for `SCOPE`: fleet (the default), a label as app=shop, or node=NAME", Value: "fleet"},
		}, changeFlags()...),
		Action: e.onFleet(1, -1, keeperapi.RoleOperate, knobUnset),
	}
}

func knobUnset(f *fleet, c *cli.Context) error {
	ask, err := askOf(c)
	if err != nil {
		return err
	}
	t := keeperapi.Txn{IfRev: ifRev(c)}
	for _, name := range c.Args().Slice() {
		t.Changes = append(t.Changes, keeperapi.Assign{Knob: name, Scope: keeperapi.Scope(c.String("on")), Unset: true})
	}
	a, err := f.Txn(c.Context, keeperapi.TxnRequest{Txn: t, Ask: ask})
	return f.answer(a, err, "")
}
