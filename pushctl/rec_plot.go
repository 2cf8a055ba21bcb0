package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/record"
	"pushfleet/pushctl/bench"
	"pushfleet/pushctl/table"
)

func recPlotCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "plot", Usage: "a span of time as a picture or a page",
		UsageText: "pushctl rec plot [-f FILE.png|FILE.html] [--from TIME] [--fields NAME,…]",
		Description: `A chart for each field with a line for each node, knob changes and triggers marked.

  pushctl rec plot --from -1h -f hour.png
  pushctl rec plot --from 14:00 --to 14:10 --fields queued,oldest -f page.html`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"f"}, Usage: "write to `FILE`; .png or .html", Value: "rec.png"},
		}, spanFlags("-10m")...),
		Action: e.onMemories(0, 0, recPlot),
	}
}

func recPlot(o *options, c *cli.Context, ms []memory) error {
	path := c.String("out")
	html := strings.HasSuffix(path, ".html")
	if !html && !strings.HasSuffix(path, ".png") {
		return usagef("-f %s: the name ends in .png or .html", path)
	}
	s, err := o.span(c, recShort())
	if err != nil {
		return err
	}
	r, err := s.series(c.Context, ms, false)
	if err != nil {
		return err
	}
	sheet := sheetOf(&s, r.vals)
	var b bytes.Buffer
	write := sheet.WritePNG
	if html {
		write = sheet.WriteHTML
	}
	if err := write(&b); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		return err
	}
	d := plotted{path, int64(b.Len()), len(sheet.Charts)}
	v := &view{docs: []any{d}, rows: []any{d}, lines: func() []string {
		return []string{fmt.Sprintf("%s  %s, %d charts", d.File, table.Bytes(d.Bytes), d.Charts)}
	}}
	return errors.Join(o.print(v), r.err())
}

// plotted is the document of rec plot.
type plotted struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	Charts int    `json:"charts"`
}

// marksDrawn bounds the marks of a picture; the latest are drawn.
const marksDrawn = 12

func sheetOf(s *recSpan, all []*table.RecSeries) *bench.Sheet {
	from := s.from.UnixMilli()
	var nodes []string
	sheet := &bench.Sheet{Seconds: s.to.Sub(s.from).Seconds()}
	at := map[string]int{}
	for _, series := range all {
		nodes = append(nodes, series.Node)
		for i, f := range series.Fields {
			k, ok := at[f.Name]
			if !ok {
				k = len(sheet.Charts)
				at[f.Name] = k
				sheet.Charts = append(sheet.Charts, bench.Chart{Title: f.Name, Unit: plotUnit(&f)})
			}
			sheet.Charts[k].Lines = append(sheet.Charts[k].Lines, lineOf(series, i, from))
		}
		for _, m := range series.Marks {
			if m.Kind != record.MarkGap && m.At >= from {
				sheet.Marks = append(sheet.Marks, bench.SheetMark{At: float64(m.At-from) / 1000, Name: markName(&m)})
			}
		}
	}
	sheet.Marks = sheet.Marks[max(0, len(sheet.Marks)-marksDrawn):]
	sheet.Title = strings.Join(nodes, ", ")
	sheet.Subtitle = fmt.Sprintf("seconds since %s, to %s", s.from.Local().Format(time.DateTime), s.to.Local().Format(time.DateTime))
	return sheet
}

// lineOf breaks the line where nothing was recorded.
func lineOf(s *table.RecSeries, i int, from int64) bench.Line {
	l := bench.Line{Name: s.Node}
	last := int64(0)
	for k, at := range s.At {
		if last != 0 && float64(at-last) > 2.5*float64(s.EveryMS) {
			l.X, l.Y = append(l.X, float64(last-from)/1000), append(l.Y, nothing(1)...)
		}
		l.X, l.Y = append(l.X, float64(at-from)/1000), append(l.Y, s.V[i][k])
		last = at
	}
	return l
}

func plotUnit(f *record.Field) string {
	unit := map[string]string{"B": "bytes"}[f.Unit]
	if unit == "" {
		unit = f.Unit
	}
	if f.Kind == record.Counter && f.Unit != "%" {
		unit = strings.TrimSpace(unit + "/s")
	}
	return unit
}

// markName is short: it stands in a picture.
func markName(m *record.Mark) string {
	if m.Kind != record.MarkKnob {
		return m.Kind
	}
	name, _, _ := strings.Cut(m.Text, " (")
	return name
}
