package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

func probeCheckCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "what this host allows, and what the rest needs",
		UsageText:   "pushctl probe check",
		Description: "Tries everything on pushctl itself and touches no other process. Exit status 1 when something is missing.\n\n  pushctl probe check",
		Action: func(c *cli.Context) error {
			o, err := e.rendering(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return o.probeCheck(probe.Check(probe.Look()))
		},
	}
}

func (o *options) probeCheck(r probe.CheckReport) error {
	var rows []any
	for i := range r.Needs {
		rows = append(rows, &r.Needs[i])
	}
	err := o.print(&view{docs: []any{&r}, rows: rows, lines: func() []string { return checkScreen(&r, o.style) }})
	if n := r.Missing(); err == nil && n > 0 {
		return fmt.Errorf("%s missing here; what to do is above", table.Plural(int64(n), "thing"))
	}
	return err
}

// checkScreen lists what there is, then what to do about the rest.
func checkScreen(r *probe.CheckReport, st table.Style) []string {
	g := &table.Grid{Columns: []table.Column{{Head: ""}, {Head: "NEED"}, {Head: "HAVE", Flex: true}, {Head: "FOR", Flex: true}}}
	var todo []string
	for _, n := range r.Needs {
		state := table.Text{S: "fine", Mark: table.Good}
		if !n.OK {
			state = table.Text{S: "missing", Mark: table.Bad}
			todo = append(append(todo, ""), table.Wrap(n.Name+": "+table.Safe(n.Have), "  ", table.Columns)...)
			todo = append(todo, table.Block("to have "+n.For+": "+n.Do, "  ")...)
		}
		g.Rows = append(g.Rows, []table.Text{state, {S: n.Name}, {S: table.Safe(n.Have)}, {S: n.For}})
	}
	lines := append([]string{"probes on Linux " + table.Safe(r.Kernel), ""}, g.Lines(table.Columns, st)...)
	if todo == nil {
		return append(lines, "", "Every probe works here.")
	}
	return append(lines, todo...)
}
