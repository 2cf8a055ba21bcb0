package table

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// FleetKnobs renders the knobs of a fleet: what all have, and who differs. Of
// a screen that is not wide RANGE yields first.
func FleetKnobs(ks []keeperapi.KnobInfo, now time.Time, wide bool, st Style) []string {
	if len(ks) == 0 {
		return []string{"no knob matches"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "KNOB"}, {Head: "VALUE", Right: true}, {Head: "DEFAULT", Right: true},
		{Head: "ELSEWHERE", Flex: true}, {Head: "RANGE", Flex: true}, {Head: "ACTS", Spare: true}, {Head: "RISK", Spare: true},
		{Head: "NODES", Right: true, Wide: true}, {Head: "REV", Right: true, Wide: true}, {Head: "LAST", Wide: true}, {Head: "HELP", Wide: true}}}
	set := 0
	for i := range ks {
		k := &ks[i]
		if len(k.Values) > 0 {
			set++
		}
		g.Rows = append(g.Rows, fleetKnobCells(k, now, wide))
	}
	return append(g.Lines(width, st), "",
		fmt.Sprintf("%s, %d set by somebody. One in full: pushctl knob get NAME", Plural(int64(len(ks)), "knob"), set))
}

func fleetKnobCells(k *keeperapi.KnobInfo, now time.Time, wide bool) []Text {
	val, def, mark, last := k.Default, Dash, Plain, Dash
	if v := At(k, keeperapi.Fleet); v != nil {
		val, last = v.Value.Value, by(&v.Value, now)
		if val != k.Default {
			def, mark = value(k.Default), Warn
		}
	}
	rev := Dash
	if k.Last > 0 {
		rev = Rev(k.Last)
	}
	span := declRange(&k.Decl)
	if !wide { // who differs is worth more room
		span = Cut(span, 10)
	}
	return []Text{{S: Safe(k.Name)}, {value(val), mark}, {S: def}, {S: elsewhere(k, now)}, {S: span},
		{S: acts(k.Acts)}, {S: or(k.Risk)}, {S: Count(k.Nodes)}, {S: rev}, {S: last}, {S: Safe(k.Help)}}
}

// At returns what a scope says about a knob, nil for nothing.
func At(k *keeperapi.KnobInfo, s keeperapi.Scope) *keeperapi.ScopedValue {
	for i := range k.Values {
		if k.Values[i].Scope == s {
			return &k.Values[i]
		}
	}
	return nil
}

// elsewhere says in one cell what is not the plain value of the fleet.
func elsewhere(k *keeperapi.KnobInfo, now time.Time) string {
	var items []string
	for i := range k.Values {
		v := &k.Values[i]
		switch {
		case v.Scope != keeperapi.Fleet:
			items = append(items, ScopeName(v.Scope)+" "+value(v.Value.Value))
		case v.Deadline != 0:
			items = append(items, "for "+remains(v.Deadline, now)+" more")
		}
	}
	if k.Frozen != nil {
		items = append(items, "frozen")
	}
	if k.Rollout != "" && At(k, keeperapi.CanaryScope(k.Rollout)) == nil {
		items = append(items, Safe(k.Rollout)+" runs")
	}
	if k.Variants > 1 {
		items = append(items, Plural(int64(k.Variants), "build")+" differ")
	}
	if len(items) == 0 {
		return Dash
	}
	return strings.Join(items, ", ")
}

// ScopeName is a scope as people call it: one node by its name alone, a
// rollout's nodes by the rollout.
func ScopeName(s keeperapi.Scope) string {
	if l := s.Layer(); l == keeperapi.LayerNode || l == keeperapi.LayerCanary {
		_, name := s.Label()
		return Safe(name)
	}
	return Safe(string(s))
}

// Rev writes a revision: r419, a dash for none.
func Rev(r uint64) string {
	if r == 0 {
		return Dash
	}
	return "r" + strconv.FormatUint(r, 10)
}

func declRange(d *keeperapi.Decl) string {
	switch {
	case len(d.Values) > 0:
		return Safe(strings.Join(d.Values, "|"))
	case d.Min != "" || d.Max != "":
		return Safe(d.Min + "…" + d.Max)
	}
	return Dash
}

// remains is how long it is until a moment, in whole seconds.
func remains(t keeperapi.Time, now time.Time) string {
	return Span(t.Go().Sub(now))
}

// Span writes a length of time without the zeros at its end: 10m, 1d, 2h 30m.
func Span(d time.Duration) string {
	s := Seconds(max(0, round(d.Seconds())))
	if m, ok := strings.CutSuffix(s, "m00s"); ok {
		return m + "m"
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, " 0h"), " 0m")
}

// ago is how long a moment has been over, in the largest unit that says
// enough.
func ago(t keeperapi.Time, now time.Time) string {
	if t == 0 {
		return Dash
	}
	d := max(0, now.Sub(t.Go()))
	switch {
	case d < time.Minute:
		return Count(int64(d.Seconds())) + " s ago"
	case d < time.Hour:
		return Count(int64(d.Minutes())) + " min ago"
	case d < 48*time.Hour:
		return Count(int64(d.Hours())) + " h ago"
	}
	return Count(int64(d.Hours()/24)) + " d ago"
}

// by says who made a value, and when.
func by(v *keeperapi.Value, now time.Time) string {
	return somebody(v.Who) + " " + ago(v.At, now)
}

func somebody(who string) string {
	if who == "" {
		return "somebody"
	}
	return Safe(who)
}

// quoted is a reason in quotes behind a comma, or nothing.
func quoted(why string) string {
	if why == "" {
		return ""
	}
	return `, "` + Safe(why) + `"`
}

// Quantity writes a value with its unit for reading: 1,024 messages, 64KiB.
func Quantity(d *keeperapi.Decl, text string) string {
	if d == nil || d.Type != "int" {
		return value(text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		text = Count(n)
	}
	if d.Unit != "" && !strings.HasSuffix(text, "%") {
		text += " " + d.Unit
	}
	return Safe(text)
}

// Freezes lists what is held still.
func Freezes(fs []keeperapi.Freeze, now time.Time, wide bool, st Style) []string {
	if len(fs) == 0 {
		return []string{"nothing is frozen"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "KNOB"}, {Head: "BY", Flex: true}, {Head: "SINCE", Right: true}, {Head: "WHY", Flex: true}, {Head: "FROM", Wide: true}}}
	for i := range fs {
		f := &fs[i]
		what := Safe(f.Knob)
		if f.Knob == keeperapi.AllKnobs {
			what = "* (all)"
		}
		g.Rows = append(g.Rows, []Text{{S: what}, {S: somebody(f.Who)}, {S: ago(f.At, now)}, {S: Safe(f.Why)}, {S: Safe(or(f.From))}})
	}
	return append(g.Lines(width, st), "", "let one go: pushctl knob thaw NAME")
}
