package main

import (
	"context"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func statsCommand(e *env) *cli.Command {
	every := &seconds{}
	return &cli.Command{
		Name: "stats", Category: "look", Usage: "a node at a glance, 1, 10 and 100 s side by side",
		UsageText: "pushctl stats [-w [SECONDS]]",
		Description: `Rates fade over 1, 10 and 100 s. "+" on the first line counts connections accepted; those that end are under closed. Several nodes get a block each and a line for the fleet. When something is wrong, the last line says what to look at next.

  pushctl stats
  pushctl stats -w 2
  pushctl stats -o json | jq .queued.oldest_seconds`,
		Flags: []cli.Flag{watchFlag(every)},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			look := func(ctx context.Context) (*view, error) { return statsLook(ctx, o, nodes) }
			if every.d > 0 {
				return o.watch(c.Context, every.d, look)
			}
			return o.once(c.Context, look)
		},
	}
}

// nodeStats is a node with the rows of it that drain slowest.
type nodeStats struct {
	*pushdapi.Stats
	drain []table.TopRow
}

// statsLook asks all nodes once.
func statsLook(ctx context.Context, o *options, nodes []*pushdapi.Client) (*view, error) {
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (nodeStats, error) {
		s, err := c.Stats(ctx)
		if err != nil {
			return nodeStats{}, err
		}
		n := nodeStats{Stats: s}
		// Only for the advice on the screen, and only if there is a queue.
		if o.forPeople() && s.Queued.Conns > 0 {
			if t, err := c.Top(ctx, pushdapi.TopQuery{By: "drain", Window: 10, N: 100}); err == nil {
				n.drain = table.Merge([]*pushdapi.Top{t}, 0).Rows
			}
		}
		return n, nil
	})
	if len(a.vals) == 0 {
		return nil, a.err()
	}
	v := &view{lines: func() []string { return statsLines(o, a) }}
	for _, n := range a.vals {
		v.docs = append(v.docs, n.Stats)
		v.rows = append(v.rows, n.Stats)
	}
	return v, a.err()
}

func statsLines(o *options, a *answers[nodeStats]) []string {
	var lines, advice []string
	var all []*pushdapi.Stats
	for i, n := range a.vals {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, table.Stats(n.Stats, o.wide(), o.style)...)
		all = append(all, n.Stats)
		for _, s := range table.Advice(n.Stats, n.drain) {
			if a.asked > 1 {
				s = table.Safe(n.Node) + ": " + s
			}
			advice = append(advice, table.Next(s)...)
		}
	}
	if len(a.vals) > 1 {
		lines = append(append(lines, ""), table.Fleet(all, len(a.silent), o.style)...)
	}
	if len(advice) > 0 {
		lines = append(append(lines, ""), advice...)
	}
	return lines
}
