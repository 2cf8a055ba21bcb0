package table

import (
	"fmt"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// FleetKnob explains one knob over the fleet.
func FleetKnob(k *keeperapi.KnobInfo, now time.Time, wide bool, st Style) []string {
	val, from := k.Default, "the default"
	if v := At(k, keeperapi.Fleet); v != nil {
		val, from = v.Value.Value, ValueFrom(v, now)
	}
	head := k.Name + " = " + Quantity(&k.Decl, val)
	lines := side(head, from, st)
	lines = append(lines, Block(Safe(k.Help), "  ")...)
	lines = append(lines, Block(Declared(&k.Decl)+", on "+Plural(int64(k.Nodes), "node")+
		orNone(k.Variants > 1, fmt.Sprintf(", whose builds declare it in %d ways", k.Variants)), "  ")...)
	if more := scopeLines(k, now, wide, st); more != nil {
		lines = append(append(lines, ""), more...)
	}
	if k.Rollout != "" {
		lines = append(lines, "", "a rollout is running: pushctl knob rollout status "+Safe(k.Rollout))
	}
	if f := k.Frozen; f != nil {
		lines = append(append(lines, ""), Block(freezeLine(f, now), "")...)
	}
	return lines
}

// side puts text three columns behind a strong head, or below when it is long.
func side(head, text string, st Style) []string {
	if Width(head)+3+Width(text) <= Columns {
		return []string{st.Apply(Strong, head) + "   " + text}
	}
	return append([]string{st.Apply(Strong, head)}, Block(text, "  ")...)
}

// Declared is what a node declares about a knob.
func Declared(d *keeperapi.Decl) string {
	return fmt.Sprintf("default %s, range %s%s, %s, risk %s", value(d.Default), declRange(d),
		orNone(d.Unit != "" && d.Type == "int", " "+d.Unit), Acts(d.Acts), or(d.Risk))
}

// ValueFrom says where a value comes from: fleet r377, maria 12d ago, "why".
func ValueFrom(v *keeperapi.ScopedValue, now time.Time) string {
	s := "from " + ScopeName(v.Scope) + " " + Rev(v.Revision) + ", " + by(&v.Value, now) + quoted(v.Why)
	return s + until(&v.Value, now)
}

// until says when a temporary value ends, and what comes then.
func until(v *keeperapi.Value, now time.Time) string {
	s := orNone(v.Guard != "", "; guard "+Safe(v.Guard))
	if v.Deadline == 0 {
		return s
	}
	then := "nothing"
	if v.Before != nil {
		then = value(v.Before.Value)
	}
	return s + "; for " + remains(v.Deadline, now) + " more, then " + then
}

// scopeLines lists what each scope says, when that is more than the fleet's.
func scopeLines(k *keeperapi.KnobInfo, now time.Time, wide bool, st Style) []string {
	if len(k.Values) == 0 || len(k.Values) == 1 && k.Values[0].Scope == keeperapi.Fleet {
		return nil
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "  SCOPE", Flex: true}, {Head: "VALUE", Right: true}, {Head: "REV", Right: true}, {Head: "BY", Flex: true}, {Head: "WHY", Flex: true}}}
	for i := range k.Values {
		v := &k.Values[i]
		g.Rows = append(g.Rows, []Text{{S: "  " + Safe(string(v.Scope))}, {S: value(v.Value.Value)}, {S: Rev(v.Revision)}, {S: by(&v.Value, now)},
			{S: strings.TrimPrefix(strings.TrimPrefix(quoted(v.Why), ", ")+until(&v.Value, now), "; ")}})
	}
	return g.Lines(width, st)
}

func freezeLine(f *keeperapi.Freeze, now time.Time) string {
	return "frozen by " + somebody(f.Who) + " " + ago(f.At, now) + quoted(f.Why)
}
