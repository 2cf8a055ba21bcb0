package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/table"
)

// printHelp explains the command that a line names, or the program.
func printHelp(w io.Writer, app *cli.App, l *line) {
	c := l.leaf()
	if c == nil {
		printAppHelp(w, app)
		return
	}
	fmt.Fprintf(w, "%s: %s\n\n", l.name(), c.Usage)
	for use := range strings.SplitSeq(c.UsageText, "\n") {
		if use = strings.TrimSpace(use); use != "" {
			fmt.Fprintf(w, "  %s\n", use)
		}
	}
	if len(c.Subcommands) > 0 {
		fmt.Fprintln(w)
		printCommands(w, c.Subcommands)
	}
	if c.Description != "" {
		fmt.Fprintln(w)
		printText(w, c.Description)
	}
	if len(visible(c.Flags)) > 0 {
		fmt.Fprintln(w)
		printFlags(w, c.Flags)
	}
	fmt.Fprintln(w, "\nGlobal flags (--node, --keeper, -o, --timeout, …): pushctl --help")
}

func printAppHelp(w io.Writer, app *cli.App) {
	fmt.Fprintf(w, "pushctl: %s\n\n  %s\n", app.Usage, app.UsageText)
	var categories []string
	for _, c := range app.Commands {
		if !c.Hidden && !slices.Contains(categories, c.Category) {
			categories = append(categories, c.Category)
		}
	}
	for _, cat := range categories {
		fmt.Fprintf(w, "\n%s\n", strings.ToUpper(cat))
		var in []*cli.Command
		for _, c := range app.Commands {
			if c.Category == cat {
				in = append(in, c)
			}
		}
		printCommands(w, in)
	}
	fmt.Fprintln(w, "\nGLOBAL FLAGS, before or after the command")
	printFlags(w, app.Flags)
	fmt.Fprintln(w)
	printText(w, app.Description)
}

func printCommands(w io.Writer, cs []*cli.Command) {
	for _, c := range cs {
		if !c.Hidden {
			fmt.Fprintf(w, "  %-11s %s\n", c.Name, c.Usage)
		}
	}
}

// printText wraps paragraphs; indented lines are examples and stay as they are.
func printText(w io.Writer, text string) {
	para := ""
	flush := func() {
		for _, l := range table.Wrap(para, "", table.Columns) {
			fmt.Fprintln(w, l)
		}
		para = ""
	}
	for l := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		switch {
		case strings.TrimSpace(l) == "":
			flush()
			fmt.Fprintln(w)
		case strings.HasPrefix(l, "  "):
			flush()
			fmt.Fprintln(w, l)
		default:
			para += " " + l
		}
	}
	flush()
}

func visible(flags []cli.Flag) []cli.Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f cli.Flag) bool {
		v, ok := f.(cli.VisibleFlag)
		return ok && !v.IsVisible()
	})
}

// printFlags lists flags with their values and texts in two columns.
func printFlags(w io.Writer, flags []cli.Flag) {
	for _, f := range visible(flags) {
		names, text := flagText(f)
		lines := table.Wrap(text, "", table.Columns-24)
		if table.Width(names) > 20 {
			fmt.Fprintf(w, "  %s\n", names)
			names = ""
		}
		for i, l := range lines {
			if i > 0 {
				names = ""
			}
			fmt.Fprintf(w, "  %-20s  %s\n", names, l)
		}
	}
}

// flagText takes the name of the value out of the back quotes in the usage.
func flagText(f cli.Flag) (names, text string) {
	var all []string
	for _, n := range f.Names() {
		all = append(all, dashed(n))
	}
	slices.SortFunc(all, func(a, b string) int { return len(a) - len(b) })
	names = strings.Join(all, ", ")
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return names, ""
	}
	text = d.GetUsage()
	if before, rest, ok := strings.Cut(text, "`"); ok {
		value, after, _ := strings.Cut(rest, "`")
		return names + " " + value, before + value + after
	}
	return names, text
}
