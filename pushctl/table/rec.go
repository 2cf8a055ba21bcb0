package table

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/record"
)

// RecSeries is what one node recorded in a span, in the units of the fields.
type RecSeries struct {
	Node    string
	EveryMS int64
	Fields  []record.Field
	At      []int64     // ms since 1970
	V       [][]float64 // by field, then by time; NaN where there is nothing
	Raw     [][]int64   // the same as stored; only for who asked for it
	Gaps    []RecSpan
	Marks   []record.Mark
	Damage  []string
}

// RecSpan is a span of time, ms since 1970.
type RecSpan struct {
	From int64 `json:"from_ms"`
	To   int64 `json:"to_ms"`
}

// Field returns where a field stands, -1 when it is not there.
func (s *RecSeries) Field(name string) int {
	return slices.IndexFunc(s.Fields, func(f record.Field) bool { return f.Name == name })
}

// Last returns the last value of field i, NaN if there is none.
func (s *RecSeries) Last(i int) float64 {
	if i < 0 || i >= len(s.V) || len(s.V[i]) == 0 {
		return math.NaN()
	}
	return s.V[i][len(s.V[i])-1]
}

// RecValue writes a value of a field with its unit; a dash where there is
// nothing, 0 where there is 0.
func RecValue(f *record.Field, v float64) string {
	switch {
	case bad(v):
		return Dash
	case f.Unit == "%":
		return Percent(v)
	case f.Unit == "s":
		return Seconds(v)
	case f.Unit == "B" && f.Kind == record.Counter:
		return Bytes(v) + "/s"
	case f.Unit == "B":
		return Bytes(v)
	case f.Kind == record.Counter && v == 0:
		return "0/s"
	case f.Kind == record.Counter:
		return Rate(v)
	case v == 0:
		return "0"
	case v == math.Trunc(v):
		return large(v)
	}
	return Figure(v)
}

// RecAt renders the moments of nodes side by side, one line per field.
// everything shows also the fields that say nothing.
func RecAt(moments []*RecSeries, everything bool, st Style) []string {
	g := &Grid{Columns: []Column{{Head: ""}}}
	for _, m := range moments {
		at := recClock(m.At[len(m.At)-1])
		if len(moments) == 1 {
			at = dated(m.At[len(m.At)-1])
		}
		g.Columns = append(g.Columns, Column{Head: Safe(m.Node) + " " + at, Right: true, Mark: Strong})
	}
	for _, f := range recFields(moments) {
		row, says := []Text{{S: f.Name}}, false
		for _, m := range moments {
			v := m.Last(m.Field(f.Name))
			says = says || !bad(v) && v != 0
			row = append(row, Text{S: RecValue(&f, v), Mark: recMark(&f, v)})
		}
		if says || everything {
			g.Rows = append(g.Rows, row)
		}
	}
	lines := g.Lines(widthOf(everything), st)
	return append(lines, recNotes(moments, st)...)
}

// RecChange is one field at two moments.
type RecChange struct {
	Field  record.Field
	Before float64
	After  float64
	// CrossedAt is when the value first was above Crossed, ms since 1970; 0 if
	// that says nothing.
	Crossed   float64
	CrossedAt int64
}

// RecDiff renders a node at two moments. What is nothing at both is left out,
// unless everything is wanted.
func RecDiff(node string, from, to int64, changes []RecChange, marks []record.Mark, everything bool, st Style) []string {
	head := recClock
	if to-from > dayMS {
		head = dated
	}
	g := &Grid{Columns: []Column{{Head: Safe(node), Mark: Strong}, {Head: head(from), Right: true}, {Head: head(to), Right: true}, {Head: "change", Flex: true}}}
	for i := range changes {
		c := &changes[i]
		word, mark := c.word()
		if word == "" && !everything && (bad(c.After) || c.After == 0) {
			continue
		}
		g.Rows = append(g.Rows, []Text{{S: c.Field.Name}, {S: RecValue(&c.Field, c.Before)}, {S: RecValue(&c.Field, c.After), Mark: mark}, {S: word, Mark: mark}})
	}
	lines := g.Lines(widthOf(everything), st)
	return append(lines, recMarks(marks, st)...)
}

// Ratios from which a change is worth a word, and from which it stands out.
const (
	ratioSaid  = 1.2
	ratioLarge = 3
)

func (c *RecChange) word() (string, Mark) {
	switch {
	case bad(c.Before) && bad(c.After), c.Before == c.After:
		return "", Plain
	case bad(c.Before), bad(c.After):
		return "", Plain
	case c.Before <= 0 || c.After <= 0:
		sign := "+"
		if c.After < c.Before {
			sign = "−"
		}
		return sign + RecValue(&c.Field, math.Abs(c.After-c.Before)) + c.first(), Warn
	}
	ratio, sign := c.After/c.Before, "×"
	if ratio < 1 {
		ratio, sign = 1/ratio, "÷"
	}
	if ratio < ratioSaid {
		return "", Plain
	}
	mark := Plain
	if ratio >= ratioLarge {
		mark = Warn
	}
	text := fmt.Sprintf("%s%.1f", sign, ratio)
	if ratio >= 10 {
		text = sign + large(ratio)
	}
	return text + c.first(), mark
}

func (c *RecChange) first() string {
	if c.CrossedAt == 0 {
		return ""
	}
	return "  ← first above " + RecValue(&c.Field, c.Crossed) + " at " + recClock(c.CrossedAt)
}

// recFields are those of the first node, and what only others have.
func recFields(all []*RecSeries) (fields []record.Field) {
	for _, s := range all {
		for _, f := range s.Fields {
			if !slices.ContainsFunc(fields, func(g record.Field) bool { return g.Name == f.Name }) {
				fields = append(fields, f)
			}
		}
	}
	return fields
}

// recMark colours what is bad in itself.
func recMark(f *record.Field, v float64) Mark {
	switch f.Name {
	case "drops", "queued.over_hard", "tcp.listen_drops", "tcp.listen_overflows", "loops.silent", "mem.oom_kills":
		if v > 0 {
			return Bad
		}
	}
	return Plain
}

// recNotes are marks and damage of several nodes.
func recNotes(all []*RecSeries, st Style) (lines []string) {
	for _, s := range all {
		marks := slices.Clone(s.Marks)
		if len(all) > 1 {
			for i := range marks {
				marks[i].Text = Safe(s.Node) + ": " + marks[i].Text
			}
		}
		lines = append(lines, recMarks(marks, st)...)
		for _, d := range s.Damage {
			lines = append(lines, st.Apply(Warn, Safe(d)))
		}
	}
	return lines
}

// marksShown bounds the marks below a screen.
const marksShown = 12

func recMarks(marks []record.Mark, st Style) (lines []string) {
	hidden := max(0, len(marks)-marksShown)
	for _, m := range marks[hidden:] {
		mark := Plain
		switch m.Kind {
		case record.MarkTrigger, record.MarkPause:
			mark = Warn
		case record.MarkStart, record.MarkStop, record.MarkGap:
			mark = Faint
		}
		head := fmt.Sprintf("%s  %-7s  ", recClock(m.At), m.Kind)
		for _, l := range Wrap(Safe(m.Text), "", Columns-len(head)) {
			lines = append(lines, st.Apply(mark, head+l))
			head = strings.Repeat(" ", len(head))
		}
	}
	if hidden > 0 {
		lines = append([]string{st.Apply(Faint, fmt.Sprintf("%d earlier marks: -o json shows all", hidden))}, lines...)
	}
	return lines
}

// recClock is a time of day; the screens' spans say of which.
func recClock(ms int64) string { return time.UnixMilli(ms).Local().Format("15:04:05") }

// dayMS is a day in ms.
const dayMS = 24 * 3600 * 1000

// dated is a time with its date.
func dated(ms int64) string { return time.UnixMilli(ms).Local().Format("2006-01-02 15:04:05") }

func widthOf(wide bool) int {
	if wide {
		return 0
	}
	return Columns
}
