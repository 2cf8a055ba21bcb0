package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

func recAtCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "at", Usage: "one second of everything, or two and what changed",
		UsageText: "pushctl rec at TIME [--diff TIME] [--fields NAME,…] [--file DIR]",
		Description: `TIME is ` + whenForms + `; a time of day alone is the last one. -o wide shows all fields. Several nodes stand side by side.

  pushctl rec at 14:03:07
  pushctl rec at 14:03:07 --diff 14:02:00    what changed, and when it began
  pushctl rec at -5m --node gw-1 --node gw-2
  pushctl rec at yesterday 14:03 -o json | jq '.values["queued"]'`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "diff", Usage: "compare with `TIME`"},
			&cli.StringFlag{Name: "fields", Usage: "only `NAME,…`; all for every one (see pushctl rec fields)"},
			fileFlag(),
		},
		Action: e.onMemories(1, -1, recAt),
	}
}

func recAt(o *options, c *cli.Context, ms []memory) error {
	at, err := parseWhen(strings.Join(c.Args().Slice(), " "), o.now())
	if err != nil {
		return err
	}
	fields := recDefaults()
	switch text := c.String("fields"); {
	case text == "all" || text == "" && !o.forPeople() || o.wide() && text == "":
		fields = nil
	case text != "":
		fields = splitList(text)
	}
	if err := knownFields(c.Context, ms, fields); err != nil {
		return err
	}
	if c.String("diff") == "" {
		return showMoments(o, c.Context, ms, at, fields)
	}
	before, err := parseWhen(c.String("diff"), o.now())
	if err != nil {
		return err
	}
	return showDiffs(o, c.Context, ms, before, at, fields)
}

// Spans around a moment.
const (
	atBack  = 10 * time.Second // how much older than asked the record of a moment may be
	atLong  = 30 * time.Second // the same when only those of 10 s are left
	atMarks = time.Minute      // marks shown to both sides
)

// momentOf is the record at a moment, or the last before it, as a series of
// one.
func momentOf(ctx context.Context, m memory, at time.Time, fields []string) (*table.RecSeries, error) {
	for _, try := range []struct {
		ring string
		back time.Duration
	}{{"1s", atBack}, {"10s", atLong}} {
		s, err := collect(ctx, m, record.Query{Ring: try.ring, From: at.Add(-try.back).UnixMilli(), To: at.UnixMilli(), Fields: fields}, false)
		if err != nil {
			return nil, err
		}
		if n := len(s.At); n > 0 {
			s.At = s.At[n-1:]
			for i := range s.V {
				s.V[i] = s.V[i][n-1:]
			}
			s.Gaps, s.Marks = nil, nil
			return s, nil
		}
	}
	return nil, nothingThen(ctx, m, at, at)
}

// marksOf are the marks of a span.
func marksOf(ctx context.Context, m memory, ring string, from, to time.Time) (marks []record.Mark, err error) {
	err = m.scan(ctx, record.Query{Ring: ring, From: from.UnixMilli(), To: to.UnixMilli(), Fields: []string{"queued"}}, func(it record.Item) error {
		if it.Mark != nil {
			marks = append(marks, *it.Mark)
		}
		return nil
	})
	return marks, err
}

// moment is one record as a document.
type moment struct {
	Node   string              `json:"node"`
	At     time.Time           `json:"at"`
	Values map[string]*float64 `json:"values"` // null where there is nothing
	Marks  []record.Mark       `json:"marks,omitempty"`
}

func momentDoc(s *table.RecSeries) moment {
	d := moment{Node: s.Node, At: time.UnixMilli(s.At[0]), Values: map[string]*float64{}, Marks: s.Marks}
	for i, f := range s.Fields {
		d.Values[f.Name] = orNull(s.V[i][0])
	}
	return d
}

// orNull is what JSON has for a value that is not there.
func orNull(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

func showMoments(o *options, ctx context.Context, ms []memory, at time.Time, fields []string) error {
	r := recall(ctx, ms, func(ctx context.Context, m memory) (*table.RecSeries, error) {
		s, err := momentOf(ctx, m, at, fields)
		if err != nil {
			return nil, err
		}
		s.Marks, err = marksOf(ctx, m, ringOf(s), at.Add(-atMarks), at.Add(atMarks))
		return s, err
	})
	if len(r.vals) == 0 {
		return r.err()
	}
	v := &view{lines: func() []string { return table.RecAt(r.vals, o.wide(), o.style) }}
	for _, s := range r.vals {
		d := momentDoc(s)
		v.docs, v.rows = append(v.docs, d), append(v.rows, d)
	}
	return errors.Join(o.print(v), r.err())
}

// ringOf is the resolution that a series came from.
func ringOf(s *table.RecSeries) string {
	if s.EveryMS >= 10_000 {
		return "10s"
	}
	return "1s"
}

// difference is what changed on a node between two moments.
type difference struct {
	Node    string        `json:"node"`
	From    time.Time     `json:"from"`
	To      time.Time     `json:"to"`
	Changes []changed     `json:"changes"`
	Marks   []record.Mark `json:"marks"`
	rows    []table.RecChange
}

type changed struct {
	Node      string    `json:"node"`
	Field     string    `json:"field"`
	Unit      string    `json:"unit,omitempty"`
	Before    *float64  `json:"before"`
	After     *float64  `json:"after"`
	Crossed   float64   `json:"crossed,omitempty"`
	CrossedAt time.Time `json:"crossed_at,omitzero"`
}

func showDiffs(o *options, ctx context.Context, ms []memory, from, to time.Time, fields []string) error {
	if from.After(to) {
		from, to = to, from
	}
	r := recall(ctx, ms, func(ctx context.Context, m memory) (*difference, error) { return diffOf(ctx, m, from, to, fields) })
	if len(r.vals) == 0 {
		return r.err()
	}
	v := &view{lines: func() (lines []string) {
		for i, d := range r.vals {
			if i > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, table.RecDiff(d.Node, d.From.UnixMilli(), d.To.UnixMilli(), d.rows, d.Marks, o.wide(), o.style)...)
		}
		return lines
	}}
	for _, d := range r.vals {
		v.docs = append(v.docs, d)
		for _, row := range d.Changes {
			v.rows = append(v.rows, row)
		}
	}
	return errors.Join(o.print(v), r.err())
}

func diffOf(ctx context.Context, m memory, from, to time.Time, fields []string) (*difference, error) {
	a, err := momentOf(ctx, m, from, fields)
	if err != nil {
		return nil, err
	}
	b, err := momentOf(ctx, m, to, fields)
	if err != nil {
		return nil, err
	}
	d := &difference{Node: b.Node, From: time.UnixMilli(a.At[0]), To: time.UnixMilli(b.At[0])}
	for i, f := range b.Fields {
		d.rows = append(d.rows, table.RecChange{Field: f, Before: a.Last(a.Field(f.Name)), After: b.V[i][0]})
	}
	ring := ringOf(a)
	if err := crossings(ctx, m, ring, d); err != nil {
		return nil, err
	}
	d.Marks, err = marksOf(ctx, m, ring, d.From, d.To)
	d.Marks = slices.DeleteFunc(d.Marks, func(k record.Mark) bool { return k.Kind == record.MarkGap })
	for _, c := range d.rows {
		row := changed{Node: d.Node, Field: c.Field.Name, Unit: c.Field.Unit, Before: orNull(c.Before), After: orNull(c.After), Crossed: c.Crossed}
		if c.CrossedAt != 0 {
			row.CrossedAt = time.UnixMilli(c.CrossedAt)
		}
		d.Changes = append(d.Changes, row)
	}
	return d, err
}

// crossMin is how many times as much a value must have become for the time at
// which it began to grow to be looked for.
const crossMin = 5

// Least round numbers of which it is said when they were first passed: below
// them everything trembles.
const (
	crossLeast   = 10.0
	crossSeconds = 1e-3
)

// crossings finds when the values that grew most were first above a round
// number between what they were and what they became.
func crossings(ctx context.Context, m memory, ring string, d *difference) error {
	q := record.Query{Ring: ring, From: d.From.UnixMilli(), To: d.To.UnixMilli()}
	of := map[string]*table.RecChange{}
	for i := range d.rows {
		c := &d.rows[i]
		least := crossLeast
		if c.Field.Unit == "s" {
			least = crossSeconds
		}
		if c.Crossed = roundBetween(c.Before, c.After); c.Crossed < least {
			c.Crossed = 0
		} else {
			q.Fields = append(q.Fields, c.Field.Name)
			of[c.Field.Name] = c
		}
	}
	if len(q.Fields) == 0 {
		return nil
	}
	s, err := collect(ctx, m, q, false)
	if err != nil {
		return err
	}
	for i, f := range s.Fields {
		c := of[f.Name]
		k := slices.IndexFunc(s.V[i], func(v float64) bool { return v > c.Crossed })
		if k > 0 { // at the very begin it says nothing
			c.CrossedAt = s.At[k]
		}
	}
	return nil
}

// roundBetween is the power of ten that is nearest to the middle, on a
// logarithmic scale, of a value that grew; 0 if it did not grow much or none
// lies between.
func roundBetween(before, after float64) float64 {
	if math.IsNaN(before) || math.IsNaN(after) || before < 0 || after <= 0 || after < crossMin*before {
		return 0
	}
	low := math.Max(before, after/1000)
	v := math.Pow(10, math.Round((math.Log10(low)+math.Log10(after))/2))
	if v <= before || v >= after {
		return 0
	}
	return v
}
