package table

import (
	"fmt"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// settled is how many records say what one takes: the first of a file carries
// the names of the fields.
const settled = 600

// RecStatus renders what the recorder of a node does, or what its files hold.
func RecStatus(s *pushdapi.RecState, files bool, st Style) []string {
	state, mark := "recording", Good
	switch {
	case files:
		state, mark = "files", Plain
	case !s.On:
		state, mark = "off: pushctl knob set recorder.on on", Warn
	case s.Paused != "":
		state, mark = "paused since "+recClock(s.PausedSince.UnixMilli()), Bad
	}
	lines := []string{st.Apply(Strong, Safe(s.Node)) + "  " + st.Apply(mark, state) + fmt.Sprintf("  %d fields  %s", s.Fields, Safe(s.Dir))}
	if s.Paused != "" {
		lines = append(lines, Wrap(Safe(s.Paused), "", Columns)...)
	}
	g := &Grid{Columns: []Column{{Head: "RING"}, {Head: "FROM"}, {Head: "TO"}, {Head: "SPAN", Right: true}, {Head: "BYTES", Right: true}, {Head: "OF", Right: true}}}
	for _, r := range s.Rings {
		row := []Text{{S: r.Ring}, {S: Dash}, {S: Dash}, {S: Dash}, {S: Bytes(r.Bytes)}, {S: Dash}}
		if r.BytesMax > 0 {
			row[5].S = Bytes(r.BytesMax)
		}
		if !r.To.IsZero() {
			row[1].S, row[2].S, row[3].S = dated(r.From.UnixMilli()), dated(r.To.UnixMilli()), Cell(r.To.Sub(r.From).Seconds())
		}
		g.Rows = append(g.Rows, row)
	}
	lines = append(lines, g.Lines(Columns, st)...)
	if s.Records > 0 {
		n := float64(s.Records)
		line := fmt.Sprintf("since its start %s records, %s each", Count(s.Records), Seconds(s.TookSeconds/n))
		if s.Records >= settled {
			line += fmt.Sprintf(", %s or %s a day", Bytes(float64(s.Bytes)/n), Bytes(float64(s.Bytes)/n*86400))
		}
		lines = append(lines, line)
	}
	for _, gap := range s.Gaps {
		lines = append(lines, Block(fmt.Sprintf("no %s: %s", gap.File, gap.Why), "")...)
	}
	if s.Bundles > 0 {
		lines = append(lines, fmt.Sprintf("%s: pushctl rec bundles", Plural(int64(s.Bundles), "bundle")))
	}
	return lines
}

// RecFields renders what is recorded.
func RecFields(fields []pushdapi.RecField, wide bool, st Style) []string {
	g := &Grid{Columns: []Column{{Head: "FIELD"}, {Head: "UNIT"}, {Head: "KIND"}, {Head: "", Flex: true}}}
	for _, f := range fields {
		unit := f.Unit
		if f.Kind == "counter" && unit != "%" {
			unit += "/s"
		}
		g.Rows = append(g.Rows, []Text{{S: f.Name}, {S: or(unit)}, {S: f.Kind, Mark: Faint}, {S: Safe(f.Help)}})
	}
	return g.Lines(widthOf(wide), st)
}

// RecBundles renders the bundles of nodes, the latest first. now decides which
// times need a date.
func RecBundles(rows []pushdapi.RecBundle, now time.Time, wide bool, st Style) []string {
	if len(rows) == 0 {
		return []string{"no bundle: nothing has triggered one (see pushctl knob list recorder.trigger)"}
	}
	g := &Grid{Columns: []Column{{Head: "NODE", Flex: true}, {Head: "ID"}, {Head: "AT", Right: true}, {Head: "BYTES", Right: true}, {Head: "WHY", Flex: true}, {Head: "FILES", Wide: true}, {Head: "LEFT OUT", Wide: true}}}
	for i := range rows {
		b := &rows[i]
		g.Rows = append(g.Rows, []Text{{S: Safe(b.Node)}, {S: Safe(b.ID)}, {S: when(b.At, now)}, {S: Bytes(b.Bytes)}, {S: Safe(b.Why)},
			{S: Safe(strings.Join(b.Files, " "))}, {S: Safe(strings.Join(b.LeftOut, "; "))}})
	}
	return append(g.Lines(widthOf(wide), st), "", "fetch one: pushctl rec bundle "+Safe(rows[0].ID))
}
