package table

import (
	"fmt"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// KnobRow is a knob with the node that has it.
type KnobRow struct {
	Node string `json:"node"`
	pushdapi.Knob
}

// Knobs renders the list; only knobs that were changed show their default.
func Knobs(rows []KnobRow, wide bool, st Style) []string {
	if len(rows) == 0 {
		return []string{"no knob matches"}
	}
	width := Columns
	if wide {
		width = 0
	}
	several := false
	g := &Grid{Columns: []Column{{Head: "NODE", Wide: true}, {Head: "KNOB"}, {Head: "VALUE", Right: true},
		{Head: "DEFAULT", Right: true}, {Head: "RANGE", Flex: true}, {Head: "ACTS"}, {Head: "RISK"}, {Head: "FROM", Wide: true},
		{Head: "WHY", Wide: true}, {Head: "HELP", Wide: true}}}
	changed := 0
	for i := range rows {
		k := &rows[i]
		several = several || k.Node != rows[0].Node
		mark, def := Plain, Dash
		if k.Value != k.Default {
			mark, def = Warn, value(k.Default)
			changed++
		}
		g.Rows = append(g.Rows, []Text{{S: Safe(name(k.Node))}, {S: k.Name}, {value(k.Value), mark}, {S: def},
			{S: knobRange(&k.Knob)}, {S: acts(k.Acts)}, {S: k.Risk}, {S: k.Source}, {S: Safe(k.Why)}, {S: k.Help}})
	}
	g.Columns[0].Wide = !several
	lines := g.Lines(width, st)
	return append(lines, "", fmt.Sprintf("%s, %d not at default. Explain one: pushctl knob get NAME --local",
		Plural(int64(len(rows)), "knob"), changed))
}

// value shows an empty value as such.
func value(s string) string {
	if s == "" {
		return `""`
	}
	return Safe(s)
}

func knobRange(k *pushdapi.Knob) string {
	switch {
	case len(k.Values) > 0:
		return strings.Join(k.Values, "|")
	case k.Type == "bool":
		return "true|false"
	case k.Min != "" || k.Max != "":
		return k.Min + "…" + k.Max
	}
	return Dash
}

// Knob explains one knob.
func Knob(k *KnobRow, now time.Time, st Style) []string {
	from := "from " + or(k.Source)
	if !k.At.IsZero() && k.Source != "default" {
		from += ", " + Seconds(round(now.Sub(k.At).Seconds())) + " ago"
	}
	if k.Why != "" {
		from += `, "` + Safe(k.Why) + `"`
	}
	unit := orNone(k.Unit != "" && !strings.HasSuffix(k.Value, k.Unit) && k.Type == "int", " "+k.Unit)
	head := st.Apply(Strong, k.Name+" = "+value(k.Value)+unit)
	lines := []string{head + "   " + from}
	lines = append(lines, Block(k.Help, "  ")...)
	return append(lines, Block(fmt.Sprintf("default %s, range %s, %s, risk %s, on %s",
		value(k.Default), knobRange(&k.Knob), Acts(k.Acts), or(k.Risk), Safe(name(k.Node))), "  ")...)
}

// acts is Acts for a column.
func acts(s string) string {
	if s == "new connections" {
		return "new conns"
	}
	return s
}

// Acts says in words when a change takes hold.
func Acts(acts string) string {
	switch acts {
	case "live":
		return "live, no reconnects"
	case "new connections":
		return "for new connections; open ones keep the old"
	case "restart":
		return "after a restart of pushd"
	}
	return or(acts)
}

// KnobChange says what a set did, or would do.
func KnobChange(node string, c *pushdapi.KnobChange, unit string) string {
	rev := fmt.Sprintf("r%d", c.Revision)
	if c.DryRun {
		rev = "dry run"
	}
	what := value(c.Old) + " → " + value(c.New)
	if c.Old == c.New {
		what = value(c.New) + ", as it was"
	}
	return strings.Join([]string{rev, c.Name, what + orNone(unit != "", "  "+unit), Safe(node), Acts(c.Acts)}, "  ")
}
