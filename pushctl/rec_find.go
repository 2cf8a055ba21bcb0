package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/guard"
	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

func recFindCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "find", Usage: "when a condition held",
		UsageText: "pushctl rec find EXPR [--from TIME] [--to TIME] [-n N] [--file DIR]",
		Description: `EXPR is written like a guard of knobs: comparisons of fields with quantities (5/s, 250ms, 5%, 64KiB, 1e5), joined by && and ||. Counters are rates per second. What is missing is never true.

  pushctl rec find 'queued > 1e5'
  pushctl rec find 'go.sched_p99 > 20ms && cpu.steal > 10%' --from -7d
  pushctl rec find 'tcp.listen_drops > 0' --file /var/lib/pushd/recorder`,
		Flags: append([]cli.Flag{&cli.IntFlag{Name: "n", Usage: "at most `N` stretches of each node", Value: 50}},
			slices.DeleteFunc(spanFlags("-24h"), func(f cli.Flag) bool { return f.Names()[0] == "fields" })...),
		Action: e.onMemories(1, -1, recFind),
	}
}

func recFind(o *options, c *cli.Context, ms []memory) error {
	s, err := o.span(c, nil)
	if err != nil {
		return err
	}
	if c.Int("n") < 1 {
		return usagef("-n %d: want at least 1", c.Int("n"))
	}
	expr := strings.Join(c.Args().Slice(), " ")
	if s.fields, err = findNames(c.Context, expr, ms); err != nil {
		return err
	}
	r := recall(c.Context, ms, func(ctx context.Context, m memory) (*found, error) { return findIn(ctx, m, &s, expr, c.Int("n")) })
	if len(r.vals) == 0 {
		return r.err()
	}
	var rows []table.RecFound
	cut := false
	for _, f := range r.vals {
		rows, cut = append(rows, f.rows...), cut || f.cut
	}
	slices.SortStableFunc(rows, func(a, b table.RecFound) int { return cmp.Compare(a.From, b.From) })
	v := &view{lines: func() []string {
		return append(table.RecFind(expr, rows, cut, o.wide(), o.style), shorter(r.vals, s.from)...)
	}, docs: []any{whole(rows)}, rows: anys(rows)}
	return errors.Join(o.print(v), r.err())
}

// findNames are the fields of a condition, checked against those that there
// are.
func findNames(ctx context.Context, expr string, ms []memory) ([]string, error) {
	f, err := record.NewFinder(expr, 1)
	if err != nil {
		return nil, badCondition(err)
	}
	var known []string
	for _, m := range ms {
		fields, err := m.fields(ctx)
		if err != nil {
			continue // it is named as silent when it is asked for records
		}
		for _, field := range fields {
			known = append(known, field.Name)
		}
	}
	if len(known) == 0 {
		return f.Names(), nil
	}
	if err := f.Check(known); err != nil {
		return nil, badCondition(err)
	}
	return f.Names(), nil
}

func badCondition(err error) error {
	if g, ok := errors.AsType[*guard.Error](err); ok {
		return usagef("rec find, column %d: %s", g.Column, g.Message)
	}
	return usagef("rec find: %w", err)
}

// found is what one memory has.
type found struct {
	rows  []table.RecFound
	cut   bool
	node  string
	first int64 // ms since 1970 of the first record of the span
}

func findIn(ctx context.Context, m memory, s *recSpan, expr string, most int) (*found, error) {
	f, err := record.NewFinder(expr, most)
	if err != nil {
		return nil, badCondition(err)
	}
	q, err := s.query(ctx, m)
	if err != nil {
		return nil, err
	}
	var g record.Figures
	var field record.Field
	node, records, first := "", 0, int64(0)
	err = m.scan(ctx, q, func(it record.Item) error {
		if it.Record == nil {
			return nil
		}
		g.Add(it.Schema, it.Record)
		if it.Record.At < q.From {
			return nil
		}
		if records++; records == 1 {
			first = it.Record.At
		}
		node, field = it.Schema.Node, it.Schema.Fields[0]
		f.Add(&g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if records == 0 {
		return nil, nothingThen(ctx, m, s.from, s.to)
	}
	out := &found{cut: f.Cut, node: node, first: first}
	for _, stretch := range f.Found() {
		out.rows = append(out.rows, table.RecFound{Node: node, Field: field, Stretch: stretch})
	}
	return out, nil
}

// beginSlack is how much later than asked records may begin without a word.
const beginSlack = time.Minute

// shorter says that records do not reach back as far as was asked: "never" is
// then not since when it seems.
func shorter(all []*found, from time.Time) (lines []string) {
	for _, f := range all {
		if first := time.UnixMilli(f.first); first.Sub(from) > beginSlack {
			lines = append(lines, "records of "+table.Safe(f.node)+" begin at "+first.Local().Format(time.DateTime))
		}
	}
	return lines
}
