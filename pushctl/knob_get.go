package main

import (
	"context"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func knobGetCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "one knob over the fleet",
		UsageText: "pushctl knob get NAME [--local]",
		Description: `  pushctl knob get queue.messages_max
  pushctl knob get queue.messages_max -o json | jq .set
  pushctl knob get queue.messages_max --local -o json | jq -r .value`,
		Flags:  []cli.Flag{localFlag()},
		Action: e.fleetOrLocal(1, 1, keeperapi.RoleRead, fleetKnobGet, localKnobGet),
	}
}

func fleetKnobGet(f *fleet, c *cli.Context) error {
	k, err := f.Knob(c.Context, c.Args().First(), f.read)
	if err != nil {
		return err
	}
	return f.print(&view{lines: func() []string { return table.FleetKnob(k, f.now(), f.wide(), f.style) }, docs: []any{k}, rows: []any{k}})
}

func localKnobGet(o *options, nodes []*pushdapi.Client, c *cli.Context) error {
	return o.once(c.Context, func(ctx context.Context) (*view, error) { return knobGet(ctx, o, nodes, c.Args().First()) })
}
