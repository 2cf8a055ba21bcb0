package table

import (
	"time"

	"pushfleet/internal/keeperapi"
)

// ChangeLine is one change in a sentence: r419 maria 3m00s ago: 1024 → 256 on
// fleet, "why".
func ChangeLine(c *keeperapi.Change, now time.Time) string {
	s := Rev(c.Revision) + " " + somebody(c.Who) + " " + ago(c.At, now) + ": " +
		saidAt(c.Scope, text(c.Old)) + " → " + saidAt(c.Scope, text(c.New))
	return s + " on " + ScopeName(c.Scope) + quoted(c.Why)
}

func text(v *keeperapi.Value) string {
	if v == nil {
		return ""
	}
	return v.Value
}

// HistoryRow is one change of one knob.
type HistoryRow struct {
	Knob string `json:"knob"`
	keeperapi.Change
}

// History renders changes, the latest first. floor is the last revision that
// is forgotten, 0 for none; several shows the knobs' names.
func History(rows []HistoryRow, floor uint64, several bool, now time.Time, wide bool, st Style) []string {
	if len(rows) == 0 {
		if several {
			return []string{"nobody has changed any knob"}
		}
		return []string{"nobody has changed it" + orNone(floor > 0, " since "+Rev(floor)+"; what was before is forgotten")}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "REV", Right: true}, {Head: "WHEN", Right: true}, {Head: "KNOB", Wide: !several}, {Head: "SCOPE", Flex: true},
		{Head: "CHANGE", Flex: true}, {Head: "WHO", Flex: true}, {Head: "WHY", Flex: true}, {Head: "FROM", Wide: true}}}
	for i := range rows {
		c := &rows[i].Change
		g.Rows = append(g.Rows, []Text{{S: Rev(c.Revision)}, {S: when(c.At.Go(), now)}, {S: Safe(rows[i].Knob)}, {S: ScopeName(c.Scope)},
			{S: what(c)}, {S: Safe(or(c.Who))}, {S: Safe(c.Why)}, {S: Safe(or(c.From))}})
	}
	lines := g.Lines(width, st)
	if floor > 0 {
		lines = append(lines, "", "what was at "+Rev(floor)+" and before is forgotten")
	}
	return append(lines, "", "make a knob what it was: pushctl knob rollback REV NAME")
}

// what says how a value changed, and by what if not by a plain set.
func what(c *keeperapi.Change) string {
	s := saidAt(c.Scope, text(c.Old)) + " → " + saidAt(c.Scope, text(c.New))
	switch c.Kind {
	case keeperapi.KindSet, keeperapi.KindUnset:
		return s + orNone(c.New != nil && c.New.Deadline != 0, " for a time")
	}
	return s + " (" + KindText(c.Kind) + ")"
}

// KindText is a kind of change in words.
func KindText(k keeperapi.Kind) string {
	switch k {
	case keeperapi.KindRolloutStep:
		return "rollout step"
	case keeperapi.KindRolloutDone:
		return "rollout done"
	case keeperapi.KindRolloutAbort:
		return "rollout aborted"
	case keeperapi.KindRolloutBroke:
		return "guard broke"
	case keeperapi.KindRolloutExpire:
		return "rollout expired"
	}
	return plainKind(string(k))
}

func plainKind(s string) string {
	out := []byte(Safe(s))
	for i, b := range out {
		if b == '_' {
			out[i] = ' '
		}
	}
	return string(out)
}
