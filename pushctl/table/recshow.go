package table

import (
	"fmt"
	"math"
	"strings"
	"time"

	"pushfleet/internal/record"
)

// sparkWidth is the number of columns of a line of a screen of 80.
const sparkWidth = 32

// bars are the heights of a column, the least first.
const bars = "▁▂▃▄▅▆▇█"

// RecShow renders spans of nodes: a line of bars for each field, all on one
// axis of time from from to to (ms since 1970), so that nodes and fields can be
// read against each other. A gap is empty.
func RecShow(all []*RecSeries, from, to int64, wide bool, st Style) []string {
	g := &Grid{Columns: []Column{{Head: ""}, {Head: spanTitle(from, to)}, {Head: "MIN", Right: true}, {Head: "MEAN", Right: true}, {Head: "MAX", Right: true}, {Head: "LAST", Right: true}}}
	width := sparkWidth
	if wide {
		width = 2 * sparkWidth
	}
	width = min(width, recordsIn(all, from, to))
	for _, f := range recFields(all) {
		for i, s := range all {
			name := f.Name
			if i > 0 {
				name = ""
			}
			if len(all) > 1 {
				name += "  " + Safe(s.Node)
			}
			g.Rows = append(g.Rows, s.showRow(name, &f, from, to, width))
		}
	}
	if line := markLine(all, from, to, width); line != "" {
		g.Rows = append(g.Rows, []Text{{S: "marks"}, {S: line, Mark: Warn}, {}, {}, {}, {}})
	}
	lines := g.Lines(widthOf(wide), st)
	lines = append(lines, gapLines(all, st)...)
	return append(lines, recNotes(all, st)...)
}

// recordsIn is how many records there can be in a span: more columns would show
// gaps where there are none.
func recordsIn(all []*RecSeries, from, to int64) int {
	every := int64(1)
	for _, s := range all {
		every = max(every, s.EveryMS)
	}
	return int(max(1, (to-from)/every))
}

func (s *RecSeries) showRow(name string, f *record.Field, from, to int64, width int) []Text {
	i := s.Field(f.Name)
	if i < 0 {
		return []Text{{S: name}, {}, {S: Dash}, {S: Dash}, {S: Dash}, {S: Dash}}
	}
	low, mean, high := summary(s.V[i])
	return []Text{{S: name}, {S: Spark(s.At, s.V[i], f.Kind == record.Peak, from, to, width)},
		{S: RecValue(f, low)}, {S: RecValue(f, mean)}, {S: RecValue(f, high)}, {S: RecValue(f, s.Last(i))}}
}

// summary leaves out what is not there.
func summary(v []float64) (low, mean, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	sum, n := 0.0, 0
	for _, x := range v {
		if math.IsNaN(x) {
			continue
		}
		low, high = min(low, x), max(high, x)
		sum += x
		n++
	}
	if n == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	return low, sum / float64(n), high
}

// Spark draws values as bars over [from, to], the lowest bar being 0 or less
// and the highest the greatest value. A column shows the mean of its values,
// or, with peak, the greatest; one without any is empty.
func Spark(at []int64, v []float64, peak bool, from, to int64, width int) string {
	columns := columnsOf(at, v, peak, from, to, width)
	high := 0.0
	for _, x := range columns {
		if !math.IsNaN(x) {
			high = max(high, x)
		}
	}
	heights := []rune(bars)
	var b strings.Builder
	for _, x := range columns {
		switch {
		case math.IsNaN(x):
			b.WriteByte(' ')
		case high <= 0 || x <= 0:
			b.WriteRune(heights[0])
		default:
			b.WriteRune(heights[min(len(heights)-1, int(x/high*float64(len(heights))))])
		}
	}
	return b.String()
}

func columnsOf(at []int64, v []float64, peak bool, from, to int64, width int) []float64 {
	sum, n := make([]float64, width), make([]float64, width)
	for i, x := range v {
		if math.IsNaN(x) || at[i] < from || at[i] > to {
			continue
		}
		c := columnOf(at[i], from, to, width)
		switch {
		case !peak:
			sum[c] += x
			n[c]++
		case n[c] == 0:
			sum[c], n[c] = x, 1
		default:
			sum[c] = max(sum[c], x)
		}
	}
	for c := range sum {
		sum[c] /= n[c] // NaN where there is none
	}
	return sum
}

func columnOf(at, from, to int64, width int) int {
	return int(min(int64(width)-1, (at-from)*int64(width)/max(1, to-from)))
}

// markLine points at what happened.
func markLine(all []*RecSeries, from, to int64, width int) string {
	line, any := make([]rune, width), false
	for i := range line {
		line[i] = ' '
	}
	for _, s := range all {
		for _, m := range s.Marks {
			if m.At < from || m.At > to || m.Kind == record.MarkGap {
				continue
			}
			line[columnOf(m.At, from, to, width)], any = '▲', true
		}
	}
	if !any {
		return ""
	}
	return strings.TrimRight(string(line), " ")
}

// gapsShown bounds the gaps below a screen.
const gapsShown = 5

func gapLines(all []*RecSeries, st Style) (lines []string) {
	for _, s := range all {
		for i, gap := range s.Gaps {
			if i == gapsShown {
				lines = append(lines, st.Apply(Warn, fmt.Sprintf("%d more gaps", len(s.Gaps)-gapsShown)))
				break
			}
			who := ""
			if len(all) > 1 {
				who = Safe(s.Node) + ": "
			}
			d := time.Duration(gap.To-gap.From) * time.Millisecond
			lines = append(lines, st.Apply(Warn, who+"nothing recorded for "+Seconds(d.Seconds())+" from "+recClock(gap.From)))
		}
	}
	return lines
}

// spanTitle is the head of the bars: where they begin and end.
func spanTitle(from, to int64) string {
	a, b := recClock(from), recClock(to)
	if to-from > 20*3600*1000 {
		layout := "01-02 15:04"
		a, b = time.UnixMilli(from).Local().Format(layout), time.UnixMilli(to).Local().Format(layout)
	}
	return a + strings.Repeat(" ", max(1, sparkWidth-Width(a)-Width(b))) + b
}

// RecFound is a stretch in which a condition held on a node. Field is what the
// worst value is of.
type RecFound struct {
	Node  string       `json:"node"`
	Field record.Field `json:"-"`
	record.Stretch
}

// RecFind renders them, the oldest first.
func RecFind(expr string, rows []RecFound, cut bool, wide bool, st Style) []string {
	if len(rows) == 0 {
		return []string{"never in this span: " + Safe(expr)}
	}
	g := &Grid{Columns: []Column{{Head: "NODE", Flex: true}, {Head: "FROM"}, {Head: "TO"}, {Head: "FOR", Right: true}, {Head: "FIELD", Flex: true}, {Head: "WORST", Right: true}, {Head: "AT"}}}
	for i := range rows {
		r := &rows[i]
		g.Rows = append(g.Rows, []Text{{S: Safe(r.Node)}, {S: dated(r.From)}, {S: recClock(r.To)}, {S: Cell(float64(r.To-r.From)/1000 + 1)},
			{S: r.Field.Name}, {S: RecValue(&r.Field, r.Worst), Mark: Warn}, {S: recClock(r.WorstAt)}})
	}
	lines := g.Lines(widthOf(wide), st)
	if cut {
		lines = append(lines, "there are more: raise -n, or narrow it with --from and --to")
	}
	worst := rows[0]
	for _, r := range rows {
		if math.Abs(r.Worst) > math.Abs(worst.Worst) {
			worst = r
		}
	}
	before := time.UnixMilli(worst.From - 60_000).Local().Format("2006-01-02T15:04:05")
	return append(lines, "", "look closer: pushctl rec at "+time.UnixMilli(worst.WorstAt).Local().Format("2006-01-02T15:04:05")+" --diff "+before)
}
