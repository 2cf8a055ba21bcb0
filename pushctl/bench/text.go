package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// reasons lists counted reasons, the most frequent first, at most four.
func reasons(m map[string]int64) string {
	if len(m) == 0 {
		return "no reason known"
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b))
	})
	var parts []string
	for i, k := range keys {
		if i == 4 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%s × %s", k, commas(m[k])))
	}
	return strings.Join(parts, ", ")
}

// columns is the width of the screens; what is longer goes on, indented.
const (
	columns = 80
	indent  = "         "
)

func wrap(line string) string {
	var b strings.Builder
	line = strings.TrimRight(line, " ")
	for utf8.RuneCountInString(line) > columns {
		cut := len(string([]rune(line)[:columns]))
		at := strings.LastIndexByte(line[:cut+1], ' ')
		if at <= len(indent) {
			break // one long word
		}
		b.WriteString(line[:at] + "\n")
		line = indent + strings.TrimLeft(line[at:], " ")
	}
	return b.String() + line
}

// verdict prints what the run is worth, worst first.
func (o *Out) verdict(r *Report) {
	for _, s := range r.Wrong {
		o.linef("WRONG    %s", s)
	}
	for _, s := range r.Invalid {
		o.linef("INVALID  %s", s)
	}
	for _, s := range r.Notes {
		o.linef("note     %s", s)
	}
	if r.Ended != "" {
		o.linef("ended early: %s", r.Ended)
	}
}

// files prints what was written.
func (o *Out) files(names []string) {
	if len(names) > 0 {
		o.linef("wrote %s", strings.Join(names, ", "))
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
