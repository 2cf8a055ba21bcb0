package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func knobCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "knob", Category: "change", Usage: "read and turn what changes a running node",
		UsageText: "pushctl knob list|get|set …",
		Description: `A knob acts while the node runs; its value, range and risk are the node's own.

  pushctl knob list queue
  pushctl knob get queue.messages_max
  pushctl knob set queue.messages_max 256 --why 'memory at peak, INC-311'`,
		Subcommands: []*cli.Command{knobListCommand(e), knobGetCommand(e), knobSetCommand(e)},
	}
}

func knobListCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "all knobs, or those whose name holds a word",
		UsageText: "pushctl knob list [WORD] [--changed]",
		Description: `  pushctl knob list
  pushctl knob list queue
  pushctl knob list --changed -o wide`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "changed", Usage: "only knobs that are not at their default"}},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			word, changed := c.Args().First(), c.Bool("changed")
			return o.once(c.Context, func(ctx context.Context) (*view, error) {
				return knobLook(ctx, o, nodes, func(k *pushdapi.Knob) bool {
					return strings.Contains(k.Name, word) && (!changed || k.Value != k.Default)
				})
			})
		},
	}
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

func knobGetCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "one knob explained",
		UsageText: "pushctl knob get NAME",
		Description: `  pushctl knob get queue.messages_max
  pushctl knob get queue.messages_max -o json | jq -r .value`,
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			return o.once(c.Context, func(ctx context.Context) (*view, error) {
				return knobGet(ctx, o, nodes, c.Args().First())
			})
		},
	}
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
		return &hinted{e, "  all names         pushctl knob list"}
	}
	return err
}

func knobSetCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "turn a knob",
		UsageText: "pushctl knob set NAME VALUE [--why TEXT] [--dry-run] [--if-rev N]",
		Description: `VALUE has the knob's unit: 256, 64KiB, 30s, drop-oldest. With several nodes, all are asked first whether they accept it; if one refuses, nothing changes.

  pushctl knob set queue.messages_max 256 --why 'memory at peak, INC-311'
  pushctl knob set queue.bytes_max 64KiB --dry-run
  pushctl knob set heartbeat.timeout 90s --if-rev 418`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "why", Usage: "reason kept in the history: `TEXT`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only ask whether the node accepts it"},
			&cli.Uint64Flag{Name: "if-rev", Usage: "refuse unless the node's knobs are at revision `N`"},
		},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 2, 2); err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			set := pushdapi.KnobSet{Value: c.Args().Get(1), Why: c.String("why"), DryRun: c.Bool("dry-run"), IfRev: c.Uint64("if-rev")}
			return knobSet(c.Context, o, nodes, c.Args().First(), set)
		},
	}
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
