package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

func recExportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "records for other tools",
		UsageText: "pushctl rec export --openmetrics|--csv|--json [-f FILE] [--from TIME] …",
		Description: `OpenMetrics has counters as they are counted, with their times, for promtool tsdb create-blocks-from openmetrics; CSV and JSON have rates per second.

  pushctl rec export --openmetrics --from 14:00 --to 14:10 -f incident.txt
  pushctl rec export --csv --from -1h --fields queued,drops | sqlite3 …`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "openmetrics", Usage: "write OpenMetrics text"},
			&cli.BoolFlag{Name: "csv", Usage: "write CSV, a row for each record"},
			&cli.StringFlag{Name: "out", Aliases: []string{"f"}, Usage: "write to `FILE` instead of standard output"},
		}, spanFlags("-1h")...),
		Action: e.onMemories(0, 0, recExport),
	}
}

func recExport(o *options, c *cli.Context, ms []memory) error {
	metrics, rows := c.Bool("openmetrics"), c.Bool("csv") || o.format == "csv"
	if n := count(metrics, rows, o.format == "json"); n != 1 {
		return usagef("rec export: say one of --openmetrics, --csv and --json")
	}
	s, err := o.span(c, nil)
	if err != nil {
		return err
	}
	r, err := s.series(c.Context, ms, metrics)
	if err != nil {
		return err
	}
	write := func(o *options) error {
		switch {
		case metrics:
			return writeOpenMetrics(o.out, r.vals)
		case rows:
			return writeSeriesCSV(o, r.vals)
		}
		var docs []any
		for _, series := range r.vals {
			docs = append(docs, seriesDoc(series))
		}
		return writeJSON(o.out, docs)
	}
	return errors.Join(toFile(o, c.String("out"), write), r.err())
}

func count(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

// toFile has f write to a file, or to the output for "".
func toFile(o *options, path string, f func(*options) error) error {
	if path == "" {
		return f(o)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	to := *o
	e := *o.env
	e.out = file
	to.env = &e
	return errors.Join(f(&to), file.Close())
}

// openMetric is how a field is called there.
type openMetric struct {
	name, kind, unit string
	scale            float64
}

// openMetricOf names a field by the rules of OpenMetrics: unit last, then
// _total for counters. Shares of a core are counted in seconds.
func openMetricOf(f *record.Field) openMetric {
	m := openMetric{name: "pushd_rec_" + strings.ReplaceAll(f.Name, ".", "_"), kind: "gauge", scale: f.Shown(1)}
	switch f.Unit {
	case "B":
		m.unit = "bytes"
		m.name = strings.TrimSuffix(m.name, "_bytes")
	case "s":
		m.unit = "seconds"
	case "%":
		m.unit = "seconds"
		m.scale /= 100
	}
	if m.unit != "" {
		m.name += "_" + m.unit
	}
	if f.Kind == record.Counter {
		m.kind = "counter"
	}
	return m
}

// writeOpenMetrics writes all samples of a field together, as the form wants.
func writeOpenMetrics(w io.Writer, all []*table.RecSeries) error {
	b := bufio.NewWriter(w)
	done := map[string]bool{}
	for _, of := range all {
		for i := range of.Fields {
			f := &of.Fields[i]
			if done[f.Name] {
				continue
			}
			done[f.Name] = true
			m := openMetricOf(f)
			fmt.Fprintf(b, "# TYPE %s %s\n", m.name, m.kind)
			if m.unit != "" {
				fmt.Fprintf(b, "# UNIT %s %s\n", m.name, m.unit)
			}
			if f.Help != "" {
				fmt.Fprintf(b, "# HELP %s %s\n", m.name, strings.NewReplacer(`\`, `\\`, "\n", " ", `"`, `\"`).Replace(f.Help))
			}
			for _, s := range all {
				writeSamples(b, &m, s, s.Field(f.Name))
			}
		}
	}
	b.WriteString("# EOF\n")
	return b.Flush()
}

func writeSamples(b *bufio.Writer, m *openMetric, s *table.RecSeries, i int) {
	if i < 0 {
		return
	}
	series := m.name
	if m.kind == "counter" {
		series += "_total"
	}
	series += "{node=" + strconv.Quote(s.Node) + "} "
	for k, raw := range s.Raw[i] {
		if raw == record.Missing {
			continue
		}
		b.WriteString(series)
		b.WriteString(sampleText(float64(raw) * m.scale))
		b.WriteByte(' ')
		b.WriteString(strconv.FormatFloat(float64(s.At[k])/1000, 'f', 3, 64))
		b.WriteByte('\n')
	}
}

// sampleText writes whole numbers in full; of others what a float64 holds for
// certain, so that 10.04 does not become 10.040000000000001.
func sampleText(v float64) string {
	if v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 15, 64)
}
