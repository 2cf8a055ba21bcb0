package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func localFlag() cli.Flag {
	return &cli.BoolFlag{Name: "local", Usage: "at this machine's node, or those of --node, past the keepers"}
}

// fleetOrLocal is the action of a knob command that asks keepers, or with
// --local nodes themselves.
func (e *env) fleetOrLocal(least, most int, need keeperapi.Role, over func(*fleet, *cli.Context) error,
	at func(*options, []*pushdapi.Client, *cli.Context) error) cli.ActionFunc {
	ask := e.onFleet(least, most, need, over)
	return func(c *cli.Context) error {
		if c.Bool("local") {
			return e.onNodes(c, least, most, at)
		}
		if c.IsSet("node") {
			return usagef("%s: --node is the address of a node, and the keepers were to be asked: "+
				"add --local to ask the node itself, or name it by --on node=NAME", short(c.Command))
		}
		return ask(c)
	}
}

func (e *env) onNodes(c *cli.Context, least, most int, at func(*options, []*pushdapi.Client, *cli.Context) error) error {
	o, err := e.options(c)
	if err != nil {
		return err
	}
	if err := wantArgs(c, least, most); err != nil {
		return err
	}
	nodes, err := o.clients(c.Context)
	if err != nil {
		return err
	}
	return at(o, nodes, c)
}

func knobLook(ctx context.Context, o *options, nodes []*pushdapi.Client, want func(*pushdapi.Knob) bool) (*view, error) {
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) ([]table.KnobRow, error) {
		ks, err := c.Knobs(ctx)
		if err != nil {
			return nil, err
		}
		node := nodeName(ctx, c)
		rows := []table.KnobRow{}
		for _, k := range ks {
			if want(&k) {
				rows = append(rows, table.KnobRow{Node: node, Knob: k})
			}
		}
		return rows, nil
	})
	if len(a.vals) == 0 {
		return nil, a.err()
	}
	rows := slices.Concat(a.vals...)
	slices.SortStableFunc(rows, func(a, b table.KnobRow) int { return strings.Compare(a.Name, b.Name) })
	v := &view{lines: func() []string { return table.Knobs(rows, o.wide(), o.style) }, docs: []any{rows}}
	for _, r := range rows {
		v.rows = append(v.rows, r)
	}
	return v, a.err()
}

func knobGet(ctx context.Context, o *options, nodes []*pushdapi.Client, name string) (*view, error) {
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (*table.KnobRow, error) {
		k, err := c.Knob(ctx, name)
		if err != nil {
			return nil, err
		}
		return &table.KnobRow{Node: nodeName(ctx, c), Knob: *k}, nil
	})
	if len(a.vals) == 0 {
		return nil, knobHint(a.err())
	}
	v := &view{lines: func() []string {
		var lines []string
		for _, k := range a.vals {
			lines = append(lines, table.Knob(k, o.now(), o.style)...)
		}
		return lines
	}}
	for _, k := range a.vals {
		v.docs, v.rows = append(v.docs, k), append(v.rows, k)
	}
	return v, a.err()
}

// knobHint says where the names are when one is not known.
func knobHint(err error) error {
	if e, ok := errors.AsType[*pushdapi.Error](err); ok && e.Status == 404 && !strings.Contains(e.Message, "knob list") {
		return &hinted{e, "  all names         pushctl knob list --local"}
	}
	return err
}

// changeRow is what one node changed.
type changeRow struct {
	Node string `json:"node"`
	*pushdapi.KnobChange
	unit string
}

func knobSet(ctx context.Context, o *options, nodes []*pushdapi.Client, name string, set pushdapi.KnobSet) error {
	if len(nodes) > 1 && !set.DryRun {
		dry := set
		dry.DryRun = true
		a := turn(ctx, nodes, name, dry)
		if err := a.err(); err != nil {
			return fmt.Errorf("nothing was changed: %w", knobHint(err))
		}
		if o.forPeople() {
			fmt.Fprintf(o.out, "pre-flight  %d of %d nodes accept\n", len(a.vals), a.asked)
		}
	}
	a := turn(ctx, nodes, name, set)
	if len(a.vals) == 0 {
		return knobHint(a.err())
	}
	v := &view{lines: func() []string {
		var lines []string
		for _, r := range a.vals {
			lines = append(lines, table.KnobChange(r.Node, r.KnobChange, r.unit))
		}
		return lines
	}}
	for _, r := range a.vals {
		v.docs, v.rows = append(v.docs, r), append(v.rows, r)
	}
	if err := o.print(v); err != nil {
		return err
	}
	return a.err()
}

// turn sets a knob on all nodes.
func turn(ctx context.Context, nodes []*pushdapi.Client, name string, set pushdapi.KnobSet) *answers[changeRow] {
	return ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (changeRow, error) {
		ch, err := c.SetKnob(ctx, name, set)
		if err != nil {
			return changeRow{}, err
		}
		r := changeRow{Node: nodeName(ctx, c), KnobChange: ch}
		if k, err := c.Knob(ctx, name); err == nil && k.Type == "int" {
			r.unit = k.Unit
		}
		return r, nil
	})
}
