package why

import (
	"fmt"
	"strings"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// evidenceAt is the column in which evidence begins.
const evidenceAt = 18

// Lines is the screen of a verdict: the sentence, who may be to blame with what
// speaks for it, what is not known, and what to try. Wide has all evidence of
// all candidates.
func Lines(w *pushdapi.Watched, v *Verdict, wide bool, st table.Style) []string {
	lines := table.Wrap(title(w), "  ", table.Columns)
	lines[0] = st.Apply(table.Strong, lines[0])
	mark := table.Strong
	if v.Kind == Healthy {
		mark = table.Good
	}
	lines = append(lines, "")
	for _, l := range table.Wrap(table.Safe(v.Sentence), "", table.Columns) {
		lines = append(lines, st.Apply(mark, l))
	}
	lines = append(lines, "")
	for i := range v.Candidates {
		lines = append(lines, candidate(&v.Candidates[i], wide, st)...)
	}
	for _, m := range v.Missing {
		text := "without " + m.What + ": " + m.Why
		lines = append(lines, table.Wrap(table.Safe(text), "  ", table.Columns)...)
		if m.Do != "" {
			lines = append(lines, "  to have it   "+table.Safe(m.Do))
		}
	}
	return append(lines, hints(v.Try)...)
}

func title(w *pushdapi.Watched) string {
	if w == nil {
		return "a connection"
	}
	c := &w.Conn
	return fmt.Sprintf("%s on %s, %s from %s, conn %s, watched %s", or(table.Safe(c.User)), or(table.Safe(c.Node)), or(table.Safe(c.Proto)),
		or(table.Safe(c.Peer)), c.Conn, table.Seconds(float64(int64(w.OverSeconds*10+0.5))/10))
}

func or(s string) string {
	if s == "" {
		return table.Dash
	}
	return s
}

// candidate is "client     strong  evidence", and further evidence below.
func candidate(c *Candidate, wide bool, st table.Style) []string {
	strength := c.Strength
	if strength == "none" {
		strength = table.Dash
	}
	head := table.Pad(string(c.Kind), 11, false) + table.Pad(strength, evidenceAt-11, false)
	m := table.Faint
	if c.Score >= scoreLeast {
		m = table.Strong
	}
	show := c.Evidence
	if c.Score < 0.2 && !wide {
		show = show[:min(1, len(show))] // what clears it
	}
	var lines []string
	for _, e := range show {
		for _, l := range table.Wrap(table.Safe(e), "  ", table.Columns-evidenceAt) {
			lines = append(lines, strings.Repeat(" ", evidenceAt)+l)
		}
	}
	if lines == nil {
		return []string{st.Apply(m, strings.TrimRight(head, " "))}
	}
	lines[0] = st.Apply(m, head) + lines[0][evidenceAt:]
	return lines
}

// hints align commands to copy: they are never cut.
func hints(try []pushdapi.Hint) []string {
	wide := 0
	for _, h := range try {
		wide = max(wide, table.Width(h.What))
	}
	var lines []string
	for _, h := range try {
		lines = append(lines, "  "+table.Pad(table.Safe(h.What), wide, false)+"   "+table.Safe(h.Command))
	}
	return lines
}
