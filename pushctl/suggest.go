package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// unknownFlag says what a flag might have been, and where one with exactly
// that name is at home.
func unknownFlag(l *line, app *cli.App, arg string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	names := flagNames(app.Flags)
	for _, c := range l.path {
		names = append(names, flagNames(c.Flags)...)
	}
	for _, c := range app.Commands {
		for _, f := range flagNames(c.Flags) {
			if len(l.path) == 0 && f == name {
				return usagef("%s belongs behind its command: pushctl %s %s", arg, c.Name, arg)
			}
		}
	}
	if best := closest(name, names); best != "" {
		return usagef("%sno flag %s: did you mean %s?", l.prefix(), arg, dashed(best))
	}
	return usagef("%sno flag %s: see %s --help", l.prefix(), arg, l.name())
}

func unknownCommand(l *line, subs []*cli.Command, arg string) error {
	var names []string
	for _, c := range subs {
		if !c.Hidden {
			names = append(names, c.Names()...)
		}
	}
	if best := closest(arg, names); best != "" {
		return usagef("%sno command %q: did you mean %s?", l.prefix(), arg, best)
	}
	return usagef("%sno command %q: see %s --help", l.prefix(), arg, l.name())
}

func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	return names
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// closest returns the name with the fewest edits to word, or "" when none is
// near: at most a third of its letters, at least one, or a name it begins.
func closest(word string, names []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, n := range names {
		d := edits(word, n)
		if len(word) >= 2 && strings.HasPrefix(n, word) {
			d = 1
		}
		if d < least && len(n) > 1 {
			best, least = n, d
		}
	}
	return best
}

// edits counts insertions, deletions, replacements and swaps of neighbours
// that lead from a to b (optimal string alignment).
func edits(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
