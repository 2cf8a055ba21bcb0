package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func knobListCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "all knobs, or those whose name holds a word",
		UsageText: "pushctl knob list [WORD] [--changed] [--local]",
		Description: `VALUE is the fleet's, ELSEWHERE who has another: a label, a node, a rollout's nodes.

  pushctl knob list
  pushctl knob list queue
  pushctl knob list --changed -o wide
  pushctl knob list --local           what this machine's node has`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "changed", Usage: "only knobs that somebody has set"},
			localFlag(),
		},
		Action: e.fleetOrLocal(0, 1, keeperapi.RoleRead, fleetKnobList, localKnobList),
	}
}

func fleetKnobList(f *fleet, c *cli.Context) error {
	ks, err := f.Knobs(c.Context, f.read)
	if err != nil {
		return err
	}
	if len(ks) == 0 {
		fmt.Fprintln(f.err, "no node has joined yet: it is nodes that declare knobs; see pushctl nodes")
	}
	word, changed := c.Args().First(), c.Bool("changed")
	ks = slices.DeleteFunc(ks, func(k keeperapi.KnobInfo) bool {
		return !strings.Contains(k.Name, word) || changed && len(k.Values) == 0
	})
	v := &view{lines: func() []string { return table.FleetKnobs(ks, f.now(), f.wide(), f.style) }, docs: []any{whole(ks)}, rows: anys(ks)}
	return f.print(v)
}

func localKnobList(o *options, nodes []*pushdapi.Client, c *cli.Context) error {
	word, changed := c.Args().First(), c.Bool("changed")
	return o.once(c.Context, func(ctx context.Context) (*view, error) {
		return knobLook(ctx, o, nodes, func(k *pushdapi.Knob) bool {
			return strings.Contains(k.Name, word) && (!changed || k.Value != k.Default)
		})
	})
}

// anys are the elements of a list as rows.
func anys[T any](list []T) []any {
	rows := make([]any, len(list))
	for i := range list {
		rows[i] = list[i]
	}
	return rows
}

// whole is a list as a document: [] and not null when it is empty.
func whole[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
