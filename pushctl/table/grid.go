package table

import (
	"slices"
	"strings"
)

// Column is one column of a Grid.
type Column struct {
	Head  string
	Right bool // numbers
	Min   int  // columns kept even when all is shorter, so that a live view is stable
	Flex  bool // may be cut when the line is too long
	Wide  bool // only in the wide form
	Spare bool // left out when nothing else makes the line fit
	Mark  Mark // of the heading
}

// Text is one cell.
type Text struct {
	S    string
	Mark Mark
}

// Grid is rows under headings.
type Grid struct {
	Columns []Column
	Rows    [][]Text
}

// flexMin is the least width a column is cut to.
const flexMin = 6

// Lines renders headings and rows. A width of 0 is unbounded and shows every
// column; otherwise wide columns are left out and flexible ones cut.
func (g *Grid) Lines(width int, st Style) []string {
	show := g.shown(width)
	widths := g.widths(show)
	gap, fits := shrink(g.Columns, show, widths, width)
	if !fits {
		show = slices.DeleteFunc(show, func(i int) bool { return g.Columns[i].Spare })
		widths = g.widths(show)
		gap, _ = shrink(g.Columns, show, widths, width)
	}
	lines := make([]string, 0, len(g.Rows)+1)
	head := make([]Text, len(g.Columns))
	for i, c := range g.Columns {
		head[i] = Text{c.Head, Faint}
		if c.Mark != Plain {
			head[i].Mark = c.Mark
		}
	}
	lines = append(lines, g.line(head, show, widths, gap, st))
	for _, row := range g.Rows {
		lines = append(lines, g.line(row, show, widths, gap, st))
	}
	return lines
}

func (g *Grid) shown(width int) []int {
	var show []int
	for i, c := range g.Columns {
		if !c.Wide || width == 0 {
			show = append(show, i)
		}
	}
	return show
}

func (g *Grid) widths(show []int) []int {
	w := make([]int, len(g.Columns))
	for _, i := range show {
		w[i] = max(g.Columns[i].Min, Width(g.Columns[i].Head))
		for _, row := range g.Rows {
			w[i] = max(w[i], Width(row[i].S))
		}
	}
	return w
}

// shrink makes the line fit: it halves the gap, then cuts flexible columns,
// the widest first. It returns the gap, and whether that was enough.
func shrink(cols []Column, show, w []int, width int) (gap int, fits bool) {
	gap = 2
	total := func() int {
		n := gap * (len(show) - 1)
		for _, i := range show {
			n += w[i]
		}
		return n
	}
	cut := func() bool {
		best := -1
		for _, i := range show {
			if cols[i].Flex && w[i] > flexMin && (best < 0 || w[i] > w[best]) {
				best = i
			}
		}
		if best >= 0 {
			w[best]--
		}
		return best >= 0
	}
	if width == 0 || total() <= width {
		return gap, true
	}
	// Closer together before any name is cut.
	gap = 1
	for total() > width && cut() {
	}
	return gap, total() <= width
}

func (g *Grid) line(row []Text, show, widths []int, gap int, st Style) string {
	var b strings.Builder
	for n, i := range show {
		c := g.Columns[i]
		cell := Cut(row[i].S, widths[i])
		last := n == len(show)-1 && !c.Right
		if !last {
			pad := strings.Repeat(" ", max(0, widths[i]-Width(cell)))
			if c.Right {
				b.WriteString(pad)
			}
			b.WriteString(st.Apply(row[i].Mark, cell))
			if !c.Right {
				b.WriteString(pad)
			}
			if n < len(show)-1 {
				b.WriteString(strings.Repeat(" ", gap))
			}
			continue
		}
		b.WriteString(st.Apply(row[i].Mark, cell))
	}
	return strings.TrimRight(b.String(), " ")
}

// Reached returns the width that each column has, for the next Grid's Min:
// columns of a live view grow but do not jump back.
func (g *Grid) Reached() []int {
	all := make([]int, len(g.Columns))
	for i := range all {
		all[i] = i
	}
	return g.widths(all)
}
