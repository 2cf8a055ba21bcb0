package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	tee "pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/table"
)

func teeReportCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "show an experiment that is over",
		UsageText: "pushctl tee report FILE.json [--report FILE.html]",
		Description: `The data beside the page holds all that the page shows.

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
			r, err := tee.Read(c.Args().First())
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
			return o.printTee(r, name)
		},
	}
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
