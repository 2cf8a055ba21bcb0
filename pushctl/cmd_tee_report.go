package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/teewire"
	tee "pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/table"
)

func teeReportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "show an experiment that is over",
		UsageText: "pushctl tee report FILE.json [--report FILE.html]",
		Description: `The data beside the page holds all that the page shows. Exit status 1 if it is damaged: what of it can be read is shown.

  pushctl tee report tee-2026-11-21T14-03-07.json
  pushctl tee report old.json --report again.html`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "report", Usage: "also write the page to `FILE`.html"}},
		Action: func(c *cli.Context) error {
			o, err := e.rendering(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			r, damage, err := readReport(c.Args().First())
			if err != nil {
				return err
			}
			name := c.String("report")
			if name != "" {
				name = strings.TrimSuffix(name, ".html") + ".html"
				if err := writeFile(name, r.WriteHTML); err != nil {
					return err
				}
			}
			if err := o.printTee(r, name); err != nil {
				return err
			}
			return damage
		},
	}
}

// readReport reads a report; damage is what is wrong with the file of one that
// can be shown all the same.
func readReport(path string) (r *tee.Report, damage, err error) {
	if r, err = tee.Read(path); err != nil {
		return nil, nil, &hinted{err, reportHint(path, err)}
	}
	if r.Begin.IsZero() || r.End.IsZero() || r.From.Address == "" {
		return nil, nil, &hinted{fmt.Errorf("%s: no report of an experiment: it does not say what was mirrored when", table.Safe(path)), reportHint(path, nil)}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	err = d.Decode(new(json.RawMessage))
	end := d.InputOffset()
	if _, more := d.Token(); err == nil && more != io.EOF {
		damage = fmt.Errorf("%s is damaged: behind byte %d of %d, where the report ends, there is more; what is shown is what is before", table.Safe(path), end, len(b))
	}
	return r, damage, nil
}

// reportHint says where a report is damaged, and what else there may be.
func reportHint(path string, err error) string {
	var lines []string
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		lines = append(lines, fmt.Sprintf("  damaged           at byte %d", s.Offset))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		lines = append(lines, "  damaged           it was cut off: it ends before the report does")
	}
	if strings.HasSuffix(path, teewire.FileEnd) {
		lines = append(lines, "  show a recording  pushctl tee inspect "+quoted(path))
	}
	page := strings.TrimSuffix(path, ".json") + ".html"
	if _, err := os.Stat(page); err == nil && page != path {
		lines = append(lines, "  the page of it    "+table.Safe(page)+" may be whole")
	}
	return strings.Join(lines, "\n")
}

// writeReport writes the page, and the data beside it.
func writeReport(r *tee.Report, name string) error {
	if err := writeFile(strings.TrimSuffix(name, ".html")+".json", r.WriteJSON); err != nil {
		return err
	}
	return writeFile(name, r.WriteHTML)
}

// printTee shows a report; name is where its page is, "" for nowhere.
func (o *options) printTee(r *tee.Report, name string) error {
	width := table.Columns
	if o.wide() {
		width = 0
	}
	v := &view{docs: []any{r}, rows: []any{r}, lines: func() []string { return r.Lines(width, o.style) }}
	if err := o.print(v); err != nil || !o.forPeople() {
		return err
	}
	if name != "" {
		fmt.Fprintf(o.out, "report %s\n", name)
	}
	return nil
}
