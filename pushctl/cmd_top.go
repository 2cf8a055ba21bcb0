package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func topCommand(e *env) *cli.Command {
	every := &seconds{}
	return &cli.Command{
		Name: "top", Category: "look", Usage: "the worst connections, found on the node",
		UsageText: "pushctl top [--by COLUMN] [--window S] [--where EXPR] [-n N] [-w [SECONDS]]",
		Description: `WAIT is how long a message sent now will wait, DRAIN how long until the queue is empty: "never" when more comes in than goes out, "unsure" when the evidence does not decide. EXPR is evaluated on the node over conn, user, proto, age, queued, bytes, in, out, wait, drain, drops, rtt and peak; numbers may have a unit.

  pushctl top --by wait -n 4
  pushctl top --where 'proto == "sse" and wait > 5s'
  pushctl top -w                live; s sorts, / filters, enter explains`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "by", Usage: "worst by `COLUMN`: " + strings.Join(table.TopKeys(), ", "), Value: "wait"},
			&cli.IntFlag{Name: "window", Usage: "rates over the last `S` seconds: 1, 10 or 100", Value: 10},
			&cli.StringFlag{Name: "where", Usage: "only connections for which `EXPR` is true"},
			&cli.IntFlag{Name: "n", Usage: "at most `N` rows", Value: 20},
			watchFlag(every),
		},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			q := pushdapi.TopQuery{By: c.String("by"), Window: c.Int("window"), N: c.Int("n"), Where: c.String("where")}
			if err := checkTop(q); err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			look := func(ctx context.Context) (*view, error) { return topLook(ctx, o, nodes, q) }
			switch {
			case every.d > 0 && o.terminal && o.forPeople():
				return topLive(c.Context, o, nodes, q, every.d)
			case every.d > 0:
				return o.watch(c.Context, every.d, look)
			}
			return o.once(c.Context, look)
		},
	}
}

func checkTop(q pushdapi.TopQuery) error {
	if err := oneOf("--by", q.By, table.TopKeys()); err != nil {
		return err
	}
	if q.Window != 1 && q.Window != 10 && q.Window != 100 {
		return usagef("--window %d: want 1, 10 or 100", q.Window)
	}
	if q.N < 1 {
		return usagef("-n %d: want at least 1", q.N)
	}
	return nil
}

// gatherTop asks all nodes for their worst connections.
func gatherTop(ctx context.Context, nodes []*pushdapi.Client, q pushdapi.TopQuery) *answers[*pushdapi.Top] {
	return ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (*pushdapi.Top, error) { return c.Top(ctx, q) })
}

func topLook(ctx context.Context, o *options, nodes []*pushdapi.Client, q pushdapi.TopQuery) (*view, error) {
	a := gatherTop(ctx, nodes, q)
	if len(a.vals) == 0 {
		return nil, a.err()
	}
	merged := table.Merge(a.vals, q.N)
	v := &view{lines: func() []string { return table.Top(merged, o.wide(), o.style) }}
	for _, t := range a.vals {
		v.docs = append(v.docs, t)
	}
	for _, r := range merged.Rows {
		v.rows = append(v.rows, r)
	}
	return v, a.err()
}
