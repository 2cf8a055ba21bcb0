package main

import (
	"slices"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func nodesCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "nodes", Category: "fleet", Usage: "the nodes of the fleet, and how they follow the knobs",
		UsageText: "pushctl nodes [NAME]\npushctl nodes forget NAME",
		Description: `As the keepers know them: those that should be looked at first. A dead node is shown with the time since its last sign of life.

  pushctl nodes
  pushctl nodes -o wide
  pushctl nodes gw-3
  pushctl nodes forget gw-9           it will not come back`,
		Subcommands: []*cli.Command{{
			Name: "forget", Usage: "drop a node that is gone; values set for it stay",
			UsageText: "pushctl nodes forget NAME", Description: "  pushctl nodes forget gw-9",
			Action: e.onFleet(1, 1, keeperapi.RoleOperate, nodesForget),
		}},
		Action: e.onFleet(0, 1, keeperapi.RoleRead, nodesLook),
	}
}

func nodesLook(f *fleet, c *cli.Context) error {
	ns, err := f.Nodes(c.Context, f.read)
	if err != nil {
		return err
	}
	if name := c.Args().First(); name != "" {
		return f.nodeLook(ns, name)
	}
	return f.print(&view{docs: []any{whole(ns)}, rows: anys(ns),
		lines: func() []string { return table.Nodes(ns, f.now(), f.wide(), f.style) }})
}

func (f *fleet) nodeLook(ns []keeperapi.NodeInfo, name string) error {
	i := slices.IndexFunc(ns, func(n keeperapi.NodeInfo) bool { return n.ID == name })
	if i < 0 {
		return &hinted{noSuch("node", name, nodeNames(ns)), "  all nodes         pushctl nodes"}
	}
	n := &ns[i]
	return f.print(&view{docs: []any{n}, rows: []any{n}, lines: func() []string { return table.Node(n, f.now(), f.style) }})
}

func nodeNames(ns []keeperapi.NodeInfo) []string {
	names := make([]string, len(ns))
	for i := range ns {
		names[i] = ns[i].ID
	}
	return names
}

func nodesForget(f *fleet, c *cli.Context) error {
	name := c.Args().First()
	if err := f.ForgetNode(c.Context, name); err != nil {
		return err
	}
	return f.did("forgot "+table.Safe(name), map[string]any{"forgot": name})
}

// did says that something is done, in a line and as a document.
func (f *fleet) did(line string, doc map[string]any) error {
	return f.print(&view{docs: []any{doc}, rows: []any{doc}, lines: func() []string { return []string{line} }})
}
