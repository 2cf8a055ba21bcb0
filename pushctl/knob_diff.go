package main

import (
	"context"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func knobDiffCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "what differs from the defaults, or between two nodes",
		UsageText: "pushctl knob diff [NODE [NODE]]",
		Description: `Without a node: every value that somebody has set. With one: what it must hold otherwise than by default. With two: what they must hold differently. What nodes really hold: knob drift.

  pushctl knob diff
  pushctl knob diff gw-3
  pushctl knob diff gw-3 gw-7`,
		Action: e.onFleet(0, 2, keeperapi.RoleRead, knobDiff),
	}
}

func knobDiff(f *fleet, c *cli.Context) error {
	ks, err := f.Knobs(c.Context, f.read)
	if err != nil {
		return err
	}
	if c.NArg() == 0 {
		rows := setRows(ks)
		return f.print(&view{docs: []any{whole(rows)}, rows: anys(rows),
			lines: func() []string { return table.Sets(rows, f.now(), f.wide(), f.style) }})
	}
	a, b := c.Args().Get(0), c.Args().Get(1)
	rows, err := f.nodeDiff(c.Context, ks, a, b)
	if err != nil {
		return err
	}
	return f.print(&view{docs: []any{whole(rows)}, rows: anys(rows),
		lines: func() []string { return table.NodeValues(rows, a, b, f.wide(), f.style) }})
}

// setRows are the values that are not the default.
func setRows(ks []keeperapi.KnobInfo) []table.SetRow {
	var rows []table.SetRow
	for _, k := range ks {
		for _, v := range k.Values {
			if v.Scope == keeperapi.Fleet && v.Value.Value == k.Default {
				continue
			}
			rows = append(rows, table.SetRow{Knob: k.Name, Scope: v.Scope, Value: v.Value.Value, Default: k.Default,
				Who: v.Who, At: v.At, Why: v.Why, Until: v.Deadline})
		}
	}
	return rows
}

// nodeDiff compares what two nodes must hold, or one with the defaults.
func (f *fleet) nodeDiff(ctx context.Context, ks []keeperapi.KnobInfo, a, b string) ([]table.NodeValue, error) {
	heldA, err := f.Held(ctx, a, f.read)
	if err != nil {
		return nil, err
	}
	heldB := &keeperapi.Effective{}
	if b != "" {
		if heldB, err = f.Held(ctx, b, f.read); err != nil {
			return nil, err
		}
	}
	return compare(ks, heldA.Knobs, heldB.Knobs), nil
}

// compare lists the knobs whose values differ; who holds nothing has the
// default.
func compare(ks []keeperapi.KnobInfo, a, b map[string]keeperapi.Held) []table.NodeValue {
	defaults := map[string]string{}
	for _, k := range ks {
		defaults[k.Name] = k.Default
	}
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	var rows []table.NodeValue
	for _, n := range slices.Sorted(maps.Keys(names)) {
		r := table.NodeValue{Knob: n, A: defaults[n], B: defaults[n]}
		if h, ok := a[n]; ok {
			r.A, r.FromA = h.Value, h.Scope
		}
		if h, ok := b[n]; ok {
			r.B, r.FromB = h.Value, h.Scope
		}
		if r.A != r.B {
			rows = append(rows, r)
		}
	}
	return rows
}

func knobDriftCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "drift", Usage: "what nodes hold otherwise than they should",
		UsageText: "pushctl knob drift",
		Description: `And why: a guard that broke, somebody who set it on the node, a refusal, a restart that is due.

  pushctl knob drift`,
		Action: e.onFleet(0, 0, keeperapi.RoleRead, knobDrift),
	}
}

func knobDrift(f *fleet, c *cli.Context) error {
	ns, err := f.Nodes(c.Context, f.read)
	if err != nil {
		return err
	}
	var rows []keeperapi.Drift
	for _, n := range ns {
		for _, d := range n.Drift {
			d.Node = n.ID
			rows = append(rows, d)
		}
	}
	return f.print(&view{docs: []any{whole(rows)}, rows: anys(rows),
		lines: func() []string { return table.Drifts(rows, f.wide(), f.style) }})
}
