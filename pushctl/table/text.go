package table

import (
	"iter"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// Columns is the width that every screen fits in unless it is wide.
const Columns = 80

// Safe replaces what a terminal would act upon rather than show: names come
// from clients, and an escape sequence in one must not reach the operator's
// screen.
func Safe(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return strings.Map(func(r rune) rune {
				if unicode.IsPrint(r) {
					return r
				}
				return '\uFFFD'
			}, s)
		}
	}
	return s
}

// Width returns the columns that s takes on a terminal.
func Width(s string) int { return runewidth.StringWidth(s) }

// Cut shortens s to at most width columns, ending in an ellipsis if anything
// is missing.
func Cut(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	return runewidth.Truncate(s, max(1, width), "…")
}

// Pad fills s with spaces to width columns, on its left if right is set.
func Pad(s string, width int, right bool) string {
	gap := strings.Repeat(" ", max(0, width-Width(s)))
	if right {
		return gap + s
	}
	return s + gap
}

// Wrap breaks text between words into lines of at most width columns; later
// lines start with indent. A number stays with its unit, and a word that is
// wider than a line is broken.
func Wrap(text, indent string, width int) []string {
	var lines []string
	line, empty := "", true
	for word := range phrases(text) {
		for room := width - Width(indent); Width(word) > room; {
			if !empty {
				lines = append(lines, line)
				line, empty = indent, true
			}
			head := runewidth.Truncate(word, max(2, room), "")
			lines = append(lines, line+head)
			line, word = indent, word[len(head):]
		}
		switch {
		case empty:
			line += word
		case Width(line)+1+Width(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = indent + word
		}
		empty = false
	}
	if !empty {
		lines = append(lines, line)
	}
	return lines
}

// phrases are the words of a text, numbers together with their units.
func phrases(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		number := "" // that may have a unit
		for word := range strings.FieldsSeq(text) {
			switch {
			case number != "" && isUnit(word):
				number, word = "", number+" "+word
			case number != "":
				if !yield(number) {
					return
				}
				number = ""
			}
			if word[0] >= '0' && word[0] <= '9' && strings.Trim(word, "0123456789.,") == "" {
				number = word
			} else if !yield(word) {
				return
			}
		}
		if number != "" {
			yield(number)
		}
	}
}

// isUnit tells units, with the comma behind them.
func isUnit(word string) bool {
	switch strings.TrimRight(word, ".,;:)") {
	case "%", "ns", "µs", "ms", "s", "B", "KB", "MB", "GB", "B/s", "KB/s", "MB/s":
		return true
	}
	return false
}

// Next wraps advice that ends in a command to lines of at most Columns. The
// command is never broken, so that it can be copied: it gets a line of its own
// when it does not fit.
func Next(advice string) []string {
	i := strings.Index(advice, ": pushctl ")
	if i < 0 || Width(advice) <= Columns {
		return Wrap(advice, "  ", Columns)
	}
	return append(Wrap(advice[:i+1], "  ", Columns), "  "+advice[i+2:])
}

// Block wraps text to lines of at most Columns that all start with indent.
func Block(text, indent string) []string {
	lines := Wrap(text, "", Columns-Width(indent))
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return lines
}

// Fit joins items with sep for as long as they fit in width columns; an
// ellipsis stands for those that do not.
func Fit(items []string, sep string, width int) string {
	const more = " …"
	line := ""
	for i, item := range items {
		next := item
		if i > 0 {
			next = line + sep + item
		}
		room := width
		if i < len(items)-1 {
			room -= Width(more)
		}
		if Width(next) > room {
			return strings.TrimSpace(line + more)
		}
		line = next
	}
	return line
}

// Sides puts left and right at the two ends of a line of Columns, or two
// spaces apart when they are longer.
func Sides(left, right string) string {
	return left + strings.Repeat(" ", max(2, Columns-Width(left)-Width(right))) + right
}

// Plural writes a count with its noun: 1 connection, 2 connections.
func Plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}
