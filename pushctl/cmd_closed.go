package main

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func closedCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "closed", Category: "look", Usage: "connections that are gone, and why",
		UsageText: "pushctl closed [--reason REASON] [-n N]",
		Description: `The node keeps the latest of each reason, so that slow clients are not washed out by those that leave by themselves. LEFT is what the queue still held.

  pushctl closed --reason slow
  pushctl closed -n 200 -o csv > closed.csv`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "reason", Usage: "only those closed for `REASON`: " + strings.Join(push.CloseReasonNames(), ", ")},
			&cli.IntFlag{Name: "n", Usage: "at most `N` rows", Value: 50},
		},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			reason := c.String("reason")
			if err := oneOf("--reason", reason, push.CloseReasonNames()); err != nil {
				return err
			}
			if c.Int("n") < 1 {
				return usagef("-n %d: want at least 1", c.Int("n"))
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			return o.once(c.Context, func(ctx context.Context) (*view, error) {
				return closedLook(ctx, o, nodes, reason, c.Int("n"))
			})
		},
	}
}

// oneOf checks the value of a flag; empty is fine.
func oneOf(flag, value string, of []string) error {
	if value == "" || slices.Contains(of, value) {
		return nil
	}
	if best := closest(value, of); best != "" {
		return usagef("%s %s: did you mean %s?", flag, value, best)
	}
	return usagef("%s %s: want one of %s", flag, value, strings.Join(of, ", "))
}

func closedLook(ctx context.Context, o *options, nodes []*pushdapi.Client, reason string, n int) (*view, error) {
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) ([]table.ClosedRow, error) {
		rows, err := c.Closed(ctx, reason, n)
		if err != nil {
			return nil, err
		}
		node := nodeName(ctx, c)
		out := make([]table.ClosedRow, len(rows))
		for i, r := range rows {
			out[i] = table.ClosedRow{Node: node, ClosedRow: r}
		}
		return out, nil
	})
	if len(a.vals) == 0 {
		return nil, a.err()
	}
	rows := slices.Concat(a.vals...)
	slices.SortStableFunc(rows, func(a, b table.ClosedRow) int { return b.At.Compare(a.At) })
	rows = rows[:min(n, len(rows))]
	v := &view{lines: func() []string { return table.Closed(rows, reason, o.now(), o.wide(), o.style) }}
	doc := make([]table.ClosedRow, 0, len(rows))
	for _, r := range rows {
		doc = append(doc, r)
		v.rows = append(v.rows, r)
	}
	v.docs = []any{doc}
	return v, a.err()
}

// nodeName is what a node calls itself, or its address when it does not say.
func nodeName(ctx context.Context, c *pushdapi.Client) string {
	if v, err := c.Version(ctx); err == nil && v.Node != "" {
		return v.Node
	}
	return c.Addr()
}
