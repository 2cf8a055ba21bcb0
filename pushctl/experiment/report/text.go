package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/verdict"
	"pushfleet/pushctl/table"
)

// WriteText writes the summary without colours, within 80 columns.
func (r *Report) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(r.Lines(table.Columns, table.Style{}), "\n")+"\n")
	return err
}

// Lines is the summary for a terminal: what was mirrored, what each phase
// shows, the effects and the result. A width of 0 is unbounded and shows
// production's figures too.
func (r *Report) Lines(width int, st table.Style) []string {
	out := []string{st.Apply(table.Strong, r.title())}
	out = append(out, r.mirrored()...)
	if s := r.tried(); s != "" {
		out = append(out, table.Wrap(s, "  ", table.Columns)...)
	}
	out = append(out, r.phaseLines()...)
	if len(r.Trials) > 1 {
		out = append(out, r.sweepLines(width, st)...)
	} else if len(r.Trials) == 1 {
		out = append(out, r.effectLines(&r.Trials[0].Verdict, width, st)...)
	}
	return append(out, r.ending(st)...)
}

func (r *Report) title() string {
	from := table.Safe(r.From.Name)
	if r.Settings.File != "" {
		from = table.Safe(r.Settings.File)
	}
	s := "tee of " + from + " on " + table.Safe(r.To.Name)
	if r.Control != nil {
		s += " and " + table.Safe(r.Control.Name)
	}
	return s + r.Begin.Local().Format(", 2006-01-02 15:04:05, ") + length(r.End.Sub(r.Begin).Seconds())
}

// mirrored says how much of production the shadow saw.
func (r *Report) mirrored() []string {
	var out []string
	if t := r.Tap; t != nil {
		n := t.Connections
		if d := r.Driver; d != nil {
			n = max(n, d.Open)
		}
		s := "mirrored " + table.Count(n)
		if r.From.Connections > 0 {
			s += " of " + table.Plural(r.From.Connections, "connection")
		} else {
			s += " connections"
		}
		out = append(out, s+fmt.Sprintf(" (%s of users), %s torn", percent(r.Settings.Sample), table.Count(t.Torn)))
	}
	if r.Driver != nil {
		out = append(out, table.Wrap(replayed(r.Driver, "replayed"), "  ", table.Columns)...)
	}
	if r.Beside != nil {
		out = append(out, table.Wrap(replayed(r.Beside, "beside it"), "  ", table.Columns)...)
	}
	return out
}

func percent(v float64) string {
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".") + " %"
}

// tried names what the shadow was given.
func (r *Report) tried() string {
	var parts []string
	for i := range r.Trials {
		for _, k := range r.Trials[i].Set {
			s := table.Safe(k.Name + "=" + k.Value)
			if k.Before != "" && i == len(r.Trials)-1 {
				s += " (was " + table.Safe(k.Before) + ")"
			}
			parts = append(parts, s)
		}
	}
	switch {
	case len(parts) > 0:
		return "tried " + strings.Join(parts, ", ")
	case r.Control != nil:
		return "tried " + table.Safe(r.To.Version) + " against " + table.Safe(r.Control.Version)
	case len(r.Trials) > 0:
		return "tried nothing: A and B were alike"
	}
	return ""
}

// phaseLines are what each of the two phases has to say.
func (r *Report) phaseLines() []string {
	var out []string
	if n := r.length("aa"); n > 0 {
		out = append(out, phaseLine("A/A", n, r.noise())...)
	}
	if n := r.length("ab"); n > 0 {
		out = append(out, phaseLine("A/B", n, r.cost())...)
	}
	return out
}

func phaseLine(name string, seconds float64, what string) []string {
	head := fmt.Sprintf("%s %-7s ", name, length(seconds))
	if what == "" {
		return []string{strings.TrimSpace(head)}
	}
	lines := table.Block(what, strings.Repeat(" ", table.Width(head)))
	lines[0] = head + strings.TrimSpace(lines[0])
	return lines
}

// length writes seconds as 8m, 1m30s or 1h20m.
func length(seconds float64) string {
	s := table.Cell(seconds)
	for _, zero := range []string{"00s", "0m"} {
		if rest, cut := strings.CutSuffix(s, zero); cut && (strings.HasSuffix(rest, "m") || strings.HasSuffix(rest, "h")) {
			return rest
		}
	}
	return s
}

// length sums the time of a phase.
func (r *Report) length(phase string) (n float64) {
	for _, s := range r.Stretches {
		if s.Phase == phase {
			n += s.To - s.From
		}
	}
	return n
}

// noise is what the A/A phase says this pair calls a difference.
func (r *Report) noise() string {
	if len(r.Trials) == 0 {
		return ""
	}
	var parts []string
	for _, e := range r.Trials[0].Verdict.Effects {
		if e.Noise > 0 && !e.Metric.Watch {
			parts = append(parts, table.Safe(e.Metric.Title)+" ±"+e.Size(e.Noise))
		}
	}
	if len(parts) == 0 {
		return "too short to say how noisy this pair is"
	}
	return "this pair's noise: " + strings.Join(parts, ", ")
}

// cost is what production paid.
func (r *Report) cost() string {
	var parts []string
	if c := r.Cost; c != nil {
		if c.Before.Seconds > 0 && c.Before.CPUMessage > 0 {
			e := verdict.Effect{}
			parts = append(parts, e.Signed(c.During.CPUMessage/c.Before.CPUMessage-1)+" cpu per message")
		}
		parts = append(parts, "tap "+table.Percent(c.TapCPU)+" of a core")
	}
	if t := r.Tap; t != nil {
		parts = append(parts, table.Count(drive.Sum(t.Dropped))+" records dropped")
	}
	if len(parts) == 0 {
		return ""
	}
	return "production's cost: " + strings.Join(parts, ", ")
}

// effectLines are the table of a verdict, and why some of it says nothing.
func (r *Report) effectLines(v *verdict.Verdict, width int, st table.Style) []string {
	g := table.Grid{Columns: []table.Column{{Head: ""}, {Head: "production", Right: true, Wide: true},
		{Head: "control", Right: true}, {Head: "tried", Right: true}, {Head: "change", Right: true},
		{Head: "95 %", Right: true}, {Head: "verdict"}, {Head: "could see", Right: true, Wide: true}}}
	var why []string
	for _, watch := range []bool{false, true} {
		for i := range v.Effects {
			e := &v.Effects[i]
			switch {
			case e.Metric.Watch != watch:
			case e.Windows < 2:
				why = append(why, table.Safe(e.Metric.Title+": "+e.Why))
			default:
				g.Rows = append(g.Rows, effectRow(e))
				if e.Why != "" && !watch {
					why = append(why, table.Safe(e.Metric.Title+": "+e.Why))
				}
			}
		}
	}
	var out []string
	if len(g.Rows) > 0 {
		out = g.Lines(width, st)
	}
	for _, s := range grouped(why) {
		out = append(out, table.Wrap(s, "  ", table.Columns)...)
	}
	return out
}

func effectRow(e *verdict.Effect) []table.Text {
	seen := table.Dash
	if e.Detectable > 0 {
		seen = e.Size(e.Detectable)
	}
	level := func(v float64) table.Text { return table.Text{S: e.Metric.Value(v)} }
	return []table.Text{{S: table.Safe(e.Metric.Title), Mark: shade(e)}, level(e.Production), level(e.Control), level(e.Treatment),
		{S: e.Signed(e.Change)}, {S: e.Interval(), Mark: table.Faint}, {S: word(e), Mark: mark(e)}, {S: seen, Mark: table.Faint}}
}

func shade(e *verdict.Effect) table.Mark {
	if e.Metric.Watch {
		return table.Faint
	}
	return table.Plain
}

// word is the result; in parentheses where it has no say.
func word(e *verdict.Effect) string {
	if e.Metric.Watch {
		return table.Safe("(" + string(e.Result) + ")")
	}
	return table.Safe(string(e.Result))
}

func mark(e *verdict.Effect) table.Mark {
	switch {
	case e.Metric.Watch:
		return table.Faint
	case e.Result == verdict.Better:
		return table.Good
	case e.Result == verdict.Worse:
		return table.Bad
	}
	return table.Plain
}

// grouped joins metrics that have the same to say: "a, b: not measured".
func grouped(lines []string) []string {
	var whys []string
	names := map[string][]string{}
	for _, l := range lines {
		name, why, _ := strings.Cut(l, ": ")
		if !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
		names[why] = append(names[why], name)
	}
	for i, why := range whys {
		whys[i] = strings.Join(names[why], ", ") + ": " + why
	}
	return whys
}
