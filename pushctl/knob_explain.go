package main

import (
	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func knobExplainCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "why a node holds what it holds",
		UsageText: "pushctl knob explain NAME [--node NODE]",
		Description: `Of canary, node, group and fleet the first that says something counts; of groups the latest. Without --node: what each scope says, or the one node there is.

  pushctl knob explain queue.messages_max --node gw-3
  pushctl knob explain queue.messages_max`,
		// Not the global --node: a node is called by its name here.
		Flags:  []cli.Flag{&cli.StringFlag{Name: "node", Usage: "the node called `NODE`"}},
		Action: e.onFleet(1, 1, keeperapi.RoleRead, knobExplain),
	}
}

func knobExplain(f *fleet, c *cli.Context) error {
	name, node := c.Args().First(), c.String("node")
	if node == "" {
		nodes, err := f.Nodes(c.Context, f.read)
		if err != nil {
			return err
		}
		if len(nodes) != 1 {
			return fleetKnobGet(f, c)
		}
		node = nodes[0].ID
	}
	x, err := f.Explain(c.Context, name, node, f.read)
	if err != nil {
		return err
	}
	return f.print(&view{lines: func() []string { return table.Explain(x, f.now(), f.style) }, docs: []any{x}, rows: []any{x}})
}
