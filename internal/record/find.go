package record

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"pushfleet/internal/guard"
)

// Stretch is a time during which a condition held without a break.
type Stretch struct {
	From    int64   `json:"from_ms"` // since 1970, of the first record
	To      int64   `json:"to_ms"`   // of the last one
	Records int     `json:"records"` // for which it held
	Worst   float64 `json:"worst"`   // of the figure that the condition names first, furthest from zero
	WorstAt int64   `json:"worst_at_ms"`
}

// Finder looks for the stretches of one condition. The language is that of
// guards: who can write a guard can search the past with it, units included,
// and a figure that is missing decides nothing.
type Finder struct {
	expr    *guard.Expr
	names   []string
	figures map[string]float64
	schema  *Schema
	at      []int
	open    *Stretch
	found   []Stretch
	most    int
	Cut     bool // there were more stretches than asked for
}

// NewFinder reads a condition over fields such as "queued > 1e5 && cpu > 90%".
// It keeps the first most stretches.
func NewFinder(text string, most int) (*Finder, error) {
	e, err := guard.Parse(text)
	if err != nil {
		return nil, err
	}
	names := e.Names()
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(strings.Index(text, a), strings.Index(text, b)) })
	return &Finder{expr: e, names: names, figures: map[string]float64{}, most: most}, nil
}

// Names are the fields that the condition asks for, as they stand in it.
func (f *Finder) Names() []string { return f.names }

// Check refuses names that are not among the known ones, with what was
// probably meant.
func (f *Finder) Check(known []string) error { return f.expr.Check(known) }

// Add judges the record that figures hold now.
func (f *Finder) Add(g *Figures) {
	if f.schema != g.Schema {
		f.schema, f.at = g.Schema, f.at[:0]
		for _, name := range f.names {
			f.at = append(f.at, g.Schema.Index(name))
		}
	}
	for i, name := range f.names {
		f.figures[name] = g.Value(f.at[i])
	}
	if g.Gap > 0 {
		f.end()
	}
	if !f.expr.True(f.figures) {
		f.end()
		return
	}
	if f.open == nil {
		if len(f.found) == f.most {
			f.Cut = true
			return
		}
		f.open = &Stretch{From: g.At}
	}
	f.open.To = g.At
	f.open.Records++
	if v := f.figures[f.names[0]]; f.open.Records == 1 || math.Abs(v) > math.Abs(f.open.Worst) {
		f.open.Worst, f.open.WorstAt = v, g.At
	}
}

func (f *Finder) end() {
	if f.open != nil {
		f.found = append(f.found, *f.open)
		f.open = nil
	}
}

// Found ends the last stretch and returns all, the oldest first.
func (f *Finder) Found() []Stretch {
	f.end()
	return f.found
}
