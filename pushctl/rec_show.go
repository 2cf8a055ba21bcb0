package main

import (
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

func recShowCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "a span of time, field by field, all on one axis",
		UsageText: "pushctl rec show [--from TIME] [--to TIME] [--fields NAME,…] [--every SPAN]",
		Description: `Each field is a line of bars with its least, mean, greatest and last value; empty is a gap, ▲ a mark: a knob that changed, a trigger, a start. -o csv and ndjson write every record.

  pushctl rec show                                       the last 10 minutes
  pushctl rec show --from 14:00 --to 14:10 --fields queued,drops,cpu.softirq
  pushctl rec show --from -3d --fields process.rss       by records of each 10 s
  pushctl rec show --every 100ms --from 14:03 --to 14:04 a burst`,
		Flags:  spanFlags("-10m"),
		Action: e.onMemories(0, 0, recShow),
	}
}

func recShow(o *options, c *cli.Context, ms []memory) error {
	s, err := o.span(c, recShort())
	if err != nil {
		return err
	}
	r, err := s.series(c.Context, ms, false)
	if err != nil {
		return err
	}
	if o.format == "csv" {
		return errors.Join(writeSeriesCSV(o, r.vals), r.err())
	}
	v := &view{lines: func() []string {
		return table.RecShow(r.vals, s.from.UnixMilli(), s.to.UnixMilli(), o.wide(), o.style)
	}}
	for _, series := range r.vals {
		v.docs = append(v.docs, seriesDoc(series))
		if o.format == "ndjson" {
			v.rows = append(v.rows, seriesRows(series)...)
		}
	}
	return errors.Join(o.print(v), r.err())
}

// seriesDocument is a series in JSON.
type seriesDocument struct {
	Node    string                `json:"node"`
	EveryMS int64                 `json:"every_ms"`
	Fields  []record.Field        `json:"fields"`
	At      []int64               `json:"at_ms"`
	Values  map[string][]*float64 `json:"values"` // by field, null where there is nothing
	Gaps    []table.RecSpan       `json:"gaps"`
	Marks   []record.Mark         `json:"marks"`
	Damage  []string              `json:"damage,omitempty"`
}

func seriesDoc(s *table.RecSeries) seriesDocument {
	d := seriesDocument{Node: s.Node, EveryMS: s.EveryMS, Fields: s.Fields, At: s.At, Values: map[string][]*float64{}, Gaps: s.Gaps, Marks: s.Marks, Damage: s.Damage}
	if d.Gaps == nil {
		d.Gaps = []table.RecSpan{}
	}
	if d.Marks == nil {
		d.Marks = []record.Mark{}
	}
	for i, f := range s.Fields {
		all := make([]*float64, len(s.V[i]))
		for k, v := range s.V[i] {
			all[k] = orNull(v)
		}
		d.Values[f.Name] = all
	}
	return d
}

// seriesRows is one row for each record.
func seriesRows(s *table.RecSeries) (rows []any) {
	for k, at := range s.At {
		row := moment{Node: s.Node, At: time.UnixMilli(at), Values: map[string]*float64{}}
		for i, f := range s.Fields {
			row.Values[f.Name] = orNull(s.V[i][k])
		}
		rows = append(rows, row)
	}
	return rows
}

// writeSeriesCSV writes a row for each record, with the same columns for all
// nodes.
func writeSeriesCSV(o *options, all []*table.RecSeries) error {
	w := csv.NewWriter(o.out)
	var names []string
	for _, s := range all {
		for _, f := range s.Fields {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	if err := w.Write(append([]string{"time", "node"}, names...)); err != nil {
		return err
	}
	for _, s := range all {
		at := make([]int, len(names))
		for i, name := range names {
			at[i] = s.Field(name)
		}
		row := make([]string, 2, len(names)+2)
		for k, ms := range s.At {
			row = append(row[:0], time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"), s.Node)
			for _, i := range at {
				text := ""
				if i >= 0 && s.V[i][k] == s.V[i][k] {
					text = strconv.FormatFloat(s.V[i][k], 'g', -1, 64)
				}
				row = append(row, text)
			}
			if err := w.Write(row); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}
