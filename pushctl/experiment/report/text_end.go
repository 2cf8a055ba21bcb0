package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/verdict"
	"pushfleet/pushctl/table"
)

// ending is what followed: an early stop, what was put back, the result.
func (r *Report) ending(st table.Style) []string {
	var out []string
	add := func(m table.Mark, s string) {
		for _, l := range table.Wrap(s, "  ", table.Columns) {
			out = append(out, st.Apply(m, l))
		}
	}
	if s := excluded(r.Excluded); s != "" {
		add(table.Plain, s)
	}
	for _, n := range r.Notes {
		add(table.Warn, table.Safe(n))
	}
	if r.Stopped != nil {
		add(table.Warn, fmt.Sprintf("stopped after %s (%s): %s", length(r.Stopped.At), table.Safe(r.Stopped.Reason), table.Safe(r.Stopped.Detail)))
	}
	for _, k := range r.Restored {
		if k.Failed != "" {
			add(table.Bad, table.Safe("NOT PUT BACK: "+k.Name+" on "+r.To.Name+": "+k.Failed))
		}
	}
	if r.Result != "" {
		add(resultMark(r.Result), table.Safe(strings.ToUpper(string(r.Result))+": "+r.Why))
	}
	return out
}

func resultMark(r verdict.Result) table.Mark {
	switch r {
	case verdict.Pass:
		return table.Good
	case verdict.Fail:
		return table.Bad
	}
	return table.Warn
}

// excluded sums up the seconds that do not count, by why.
func excluded(spans []verdict.Span) string {
	seconds := map[string]float64{}
	for _, s := range spans {
		seconds[table.Safe(s.Why)] += s.To - s.From
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(seconds)) {
		parts = append(parts, length(seconds[why])+" "+why)
	}
	if len(parts) == 0 {
		return ""
	}
	return "not counted: " + strings.Join(parts, ", ")
}

// replayed are the driver's books in a line: read = replayed + dropped + pending.
func replayed(c *drive.Counts, verb string) string {
	read, done, waits := drive.Sum(c.Read), drive.Sum(c.Replayed), drive.Sum(c.Pending)
	why := map[string]uint64{}
	for _, by := range c.Dropped {
		for reason, n := range by {
			why[reason] += n
		}
	}
	s := fmt.Sprintf("%s %s of %s records", verb, table.Count(done), table.Count(read))
	if lost := drive.Sum(why); lost > 0 {
		s += ", dropped " + table.Count(lost) + " (" + most(why) + ")"
	}
	if waits > 0 {
		s += ", pending " + table.Count(waits)
	}
	if c.LateP99 > 0 {
		s += ", late p99 " + table.Seconds(c.LateP99)
	}
	if c.Failed > 0 {
		s += ", not taken by the shadow " + table.Count(c.Failed)
	}
	if c.Lost > 0 {
		s += ", ended by the shadow " + table.Count(c.Lost)
	}
	return s
}

// reasonsMax is how many reasons of drops a line names.
const reasonsMax = 4

// most lists counts by name, the largest first.
func most(counts map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	var parts []string
	for i, n := range names {
		if counts[n] == 0 {
			break
		}
		if i == reasonsMax {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, table.Safe(n)+" "+table.Count(counts[n]))
	}
	return strings.Join(parts, ", ")
}

// sweepMetrics is how many metrics a row of a sweep shows.
const sweepMetrics = 4

// sweepLines are the trials of a sweep, one in a row, and what the best did.
func (r *Report) sweepLines(width int, st table.Style) []string {
	shown := r.sweepShown()
	g := table.Grid{Columns: []table.Column{{Head: "tried"}}}
	for _, k := range shown {
		g.Columns = append(g.Columns, table.Column{Head: table.Safe(r.Trials[0].Verdict.Effects[k].Metric.Title), Right: true, Spare: k >= 2})
	}
	g.Columns = append(g.Columns, table.Column{Head: "verdict"})
	best := r.Best()
	for i := range r.Trials {
		t := &r.Trials[i]
		row := []table.Text{{S: table.Safe(t.Name)}}
		if i == best {
			row[0].Mark = table.Strong
		}
		for _, k := range shown {
			cell := table.Text{S: table.Dash}
			if k < len(t.Verdict.Effects) && t.Verdict.Effects[k].Windows > 1 {
				e := &t.Verdict.Effects[k]
				cell = table.Text{S: e.Signed(e.Change) + sign(e.Result), Mark: mark(e)}
			}
			row = append(row, cell)
		}
		g.Rows = append(g.Rows, append(row, table.Text{S: table.Safe(string(t.Verdict.Result)), Mark: resultMark(t.Verdict.Result)}))
	}
	return append(g.Lines(width, st), st.Apply(table.Faint, "✓ better  ✗ worse  = equal  ? no evidence"))
}

func sign(r verdict.Result) string {
	switch r {
	case verdict.Better:
		return " ✓"
	case verdict.Worse:
		return " ✗"
	case verdict.Equal:
		return " ="
	}
	return " ?"
}

// sweepShown are the metrics to show, those that differ in any trial first.
func (r *Report) sweepShown() []int {
	var differ, rest []int
	for k, e := range r.Trials[0].Verdict.Effects {
		known, found := false, false
		for i := range r.Trials {
			if v := r.Trials[i].Verdict.Effects; k < len(v) && v[k].Windows > 1 {
				known = true
				found = found || v[k].Result == verdict.Better || v[k].Result == verdict.Worse
			}
		}
		switch {
		case !known || e.Metric.Watch:
		case found:
			differ = append(differ, k)
		default:
			rest = append(rest, k)
		}
	}
	shown := append(differ, rest...)
	return shown[:min(len(shown), sweepMetrics)]
}
