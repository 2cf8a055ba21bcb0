package main

import (
	"context"
	"slices"

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
	if err == nil && a.Error == nil && len(a.Changes) == 0 {
		err = f.misnamed(c.Context, c.Args().Slice())
	}
	return f.answer(a, err, "")
}

// misnamed is about an unset that found nothing: keepers take any name, since
// values may be left of knobs that no build declares any more.
func (f *fleet) misnamed(ctx context.Context, names []string) error {
	ks, err := f.Knobs(ctx, f.read)
	if err != nil {
		return err
	}
	known := knobNames(ks)
	for _, name := range names {
		if !slices.Contains(known, name) {
			return &hinted{noSuch("knob", name, known), "  all names         pushctl knob list"}
		}
	}
	return nil
}
