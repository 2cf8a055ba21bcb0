package table

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// shownMost bounds lists of nodes and differences on a screen that is not wide.
const shownMost = 20

// Answer says what a change did, or would do. extra is what was asked beside
// the values: a deadline, a guard.
func Answer(a *keeperapi.Answer, extra string, wide bool, st Style) []string {
	rev := Rev(a.Revision)
	if a.DryRun {
		rev = "dry run"
	}
	var lines []string
	if !a.DryRun && len(a.Changes) == 0 && a.Rollout == "" {
		lines = append(lines, st.Apply(Strong, rev)+"  nothing changed: all is as it was")
	} else {
		lines = append(lines, deltas(rev, a.Changes, st)...)
	}
	if extra != "" {
		lines = append(lines, Block(extra, strings.Repeat(" ", labelWidth))...)
	}
	if a.Checked != nil {
		lines = append(lines, preflight(a.Checked, st)...)
	}
	if knob := outweighed(a); knob != "" {
		lines = append(lines, label("", st.Apply(Warn, "no node holds anything else now: pushctl knob explain "+Safe(knob))))
	}
	lines = append(lines, Followed(a, st)...)
	if a.DryRun {
		lines = append(lines, nodeDiffs(a, wide, st)...)
	}
	return lines
}

// Followed says how far nodes have come with a change, nothing when nobody
// waited for it.
func Followed(a *keeperapi.Answer, st Style) []string {
	if a.Applied == nil {
		return nil
	}
	return applied(a.Applied, st)
}

// outweighed is the knob of a change that no connected node holds otherwise for
// it, as one that a stronger scope sets; "" if there is none. Nodes that would
// are asked before.
func outweighed(a *keeperapi.Answer) string {
	if a.DryRun || a.Rollout != "" || a.Checked == nil || a.Checked.Asked > 0 || a.Applied == nil || a.Applied.Of == 0 {
		return ""
	}
	for _, d := range a.Changes {
		if d.New != d.Old {
			return d.Knob
		}
	}
	return ""
}

// Deltas lists what changes in which scope, behind a word.
func Deltas(word string, ds []keeperapi.Delta, st Style) []string { return deltas(word, ds, st) }

// labelWidth is the width of the words before a line: pre-flight, applied.
const labelWidth = 13

func label(word, text string) string { return Pad(word, labelWidth, false) + text }

// deltas writes one line for each place that changes, aligned below each other.
func deltas(rev string, ds []keeperapi.Delta, st Style) []string {
	g := &Grid{Columns: []Column{{}, {}, {}}}
	scoped := slices.ContainsFunc(ds, func(d keeperapi.Delta) bool { return d.Scope != keeperapi.Fleet })
	if scoped {
		g.Columns = append(g.Columns, Column{})
	}
	for i := range ds {
		d := &ds[i]
		first := Text{S: rev}
		if i > 0 {
			first.S = ""
		}
		row := []Text{first, {S: Safe(d.Knob)}, {S: deltaText(d)}}
		if scoped {
			row = append(row, Text{S: "on " + ScopeName(d.Scope)})
		}
		g.Rows = append(g.Rows, row)
	}
	// Never cut: what is done must be readable whole.
	lines := g.Lines(0, Style{})[1:]
	width := 0
	for _, l := range lines {
		width = max(width, Width(l))
	}
	for i := range ds {
		lines[i] = Pad(lines[i], width, false) + "   " + actsThatFits(ds[i].Acts, Columns-3-width)
		if i == 0 { // coloured last: codes are no columns
			lines[i] = st.Apply(Strong, rev) + strings.TrimPrefix(lines[i], rev)
		}
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// deltaText is the change itself, with its unit behind the last number.
func deltaText(d *keeperapi.Delta) string {
	unit := orNone(d.Unit != "", "  "+Safe(d.Unit))
	before, after := saidAt(d.Scope, d.Old), saidAt(d.Scope, d.New)
	switch {
	case d.New == "" && d.Old != "":
		return before + unit + " → " + after
	case d.New == d.Old:
		return after + unit + ", as it was"
	}
	return before + " → " + after + unit
}

// actsThatFits says when a change takes hold, in few words where there is no
// room for many.
func actsThatFits(s string, room int) string {
	if long := Acts(s); s != "" && Width(long) <= room {
		return long
	}
	return acts(s)
}

// saidAt is a value in a scope; a scope without one says nothing, the fleet
// then has the default.
func saidAt(s keeperapi.Scope, text string) string {
	switch {
	case text != "":
		return Safe(text)
	case s == keeperapi.Fleet:
		return "default"
	}
	return Dash
}

func preflight(p *keeperapi.Preflight, st Style) []string {
	mark := Plain
	if p.Accepted < p.Asked {
		mark = Warn
	}
	text := fmt.Sprintf("%s of %s accept", Count(p.Accepted), Plural(int64(p.Asked), "node"))
	switch p.Asked {
	case 0:
		text = "no node to ask"
	case 1:
		text += "s"
	}
	if p.Spared > 0 {
		text += fmt.Sprintf(", and stand for %s just like them", Count(p.Spared))
	}
	lines := []string{label("pre-flight", st.Apply(mark, text))}
	if len(p.Silent) > 0 {
		lines = append(lines, label("", Fit(safes(p.Silent), ", ", Columns-labelWidth-16)+" did not answer"))
	}
	return append(lines, refusalLines(p.Refused, st)...)
}

func applied(a *keeperapi.Applied, st Style) []string {
	mark := Good
	if a.Applied < a.Of {
		mark = Warn
	}
	text := fmt.Sprintf("%s of %s in %s", Count(a.Applied), Plural(int64(a.Of), "node"), strings.Replace(Seconds(a.TookMS/1000), ".0 ms", " ms", 1))
	if a.Of == 0 {
		text, mark = "no node is connected: they take it when they come", Warn
	}
	lines := []string{label("applied", st.Apply(mark, text))}
	if len(a.Pending) > 0 {
		lines = append(lines, label("", "not yet: "+Fit(safes(a.Pending), ", ", Columns-labelWidth-9)))
	}
	if n := len(a.Away); n > 0 {
		text := "no session, later: "
		if n >= keeperapi.NamesMax {
			text = fmt.Sprintf("no session, %s or more, later: ", Count(n))
		}
		lines = append(lines, label("", st.Apply(Warn, text+Fit(safes(a.Away), ", ", Columns-labelWidth-Width(text)))))
	}
	return append(lines, refusalLines(a.Nacked, st)...)
}

func refusalLines(rs []keeperapi.Refusal, st Style) []string {
	var lines []string
	for _, r := range rs[:min(len(rs), shownMost)] {
		lines = append(lines, Wrap(label("refused", st.Apply(Bad, Safe(r.Node))+": "+Safe(r.Reason)), strings.Repeat(" ", labelWidth), Columns)...)
	}
	if n := len(rs) - shownMost; n > 0 {
		lines = append(lines, label("", "and "+Plural(int64(n), "node")+" more"))
	}
	return lines
}

func safes(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Safe(w)
	}
	return out
}

// nodeDiffs lists what nodes would hold otherwise.
func nodeDiffs(a *keeperapi.Answer, wide bool, st Style) []string {
	if a.DiffNodes == 0 {
		return []string{"", "no node would hold anything else; nothing was changed"}
	}
	width, most := Columns, shownMost
	if wide {
		width, most = 0, len(a.Diff)
	}
	g := &Grid{Columns: []Column{{Head: "NODE", Flex: true}, {Head: "KNOB"}, {Head: "NOW", Right: true}, {Head: "FROM", Flex: true},
		{Head: "THEN", Right: true}, {Head: "FROM", Flex: true}}}
	for _, d := range a.Diff[:min(most, len(a.Diff))] {
		g.Rows = append(g.Rows, []Text{{S: Safe(d.Node)}, {S: Safe(d.Knob)}, {S: heldText(d.Old)}, {S: heldFrom(d.OldScope)},
			{S: heldText(d.New)}, {S: heldFrom(d.NewScope)}})
	}
	lines := append([]string{""}, g.Lines(width, st)...)
	if n := len(a.Diff) - most; n > 0 {
		lines = append(lines, fmt.Sprintf("and %s more: -o wide", Count(n)))
	}
	verb := " would hold something else; nothing was changed"
	return append(lines, "", Plural(int64(a.DiffNodes), "node")+verb)
}

// heldText is what a node holds, empty for its own default.
func heldText(s string) string {
	if s == "" {
		return "default"
	}
	return Safe(s)
}

func heldFrom(s keeperapi.Scope) string {
	if s == "" {
		return "default"
	}
	return ScopeName(s)
}

// Terms says what was asked beside the values.
func Terms(forTime time.Duration, guard string, now time.Time) string {
	var items []string
	if forTime > 0 {
		items = append(items, "for "+Span(forTime)+", until "+clock(now.Add(forTime), now))
	}
	if guard != "" {
		items = append(items, "guard "+Safe(guard))
	}
	return strings.Join(items, "; ")
}

// clock is a moment to come or just gone, with the date when it is not today's.
func clock(t, now time.Time) string {
	if t.Local().YearDay() != now.Local().YearDay() || t.Sub(now) > 24*time.Hour {
		return t.Local().Format("2006-01-02 15:04:05")
	}
	return t.Local().Format("15:04:05")
}
