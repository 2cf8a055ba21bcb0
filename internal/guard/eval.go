package guard

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Outcome is what an expression says about figures.
type Outcome struct {
	Holds bool
	// Unknown are the names without a figure, sorted. They never break a
	// guard; who asks before a commit refuses them.
	Unknown []string
	// Figures is what the comparisons saw that decided: "drops.10s 0.2/s", or
	// when the guard does not hold "drops.10s 6.1/s, allowed < 5/s".
	Figures string
}

// Bounds of Outcome.Figures, which keepers take up to 1024 bytes of.
const (
	shownMax   = 4 // comparisons
	figuresMax = 1000
)

// Eval judges figures by name. A figure that is not a number counts as unknown.
func (e *Expr) Eval(figures map[string]float64) Outcome {
	v := e.root.judge(figures)
	o := Outcome{Holds: v.truth != no}
	for _, name := range e.Names() {
		if f, ok := figures[name]; !ok || math.IsNaN(f) {
			o.Unknown = append(o.Unknown, name)
		}
	}
	o.Figures = v.text(figures)
	return o
}

// truth is three-valued: what depends on an unknown figure is open.
type truth uint8

const (
	no truth = iota
	open
	yes
)

// verdict is a truth with the comparisons that made it so.
type verdict struct {
	truth truth
	by    []*comparison
}

func (v verdict) text(figures map[string]float64) string {
	var said []string
	for _, c := range v.by {
		if s := c.say(figures, v.truth); !slices.Contains(said, s) {
			said = append(said, s)
		}
	}
	more := ""
	if len(said) > shownMax {
		said, more = said[:shownMax], fmt.Sprintf(" and %d more", len(said)-shownMax)
	}
	between := ", "
	if v.truth == no {
		between = "; "
	}
	s := strings.Join(said, between) + more
	return strings.ToValidUTF8(s[:min(len(s), figuresMax)], "")
}

// node is a junction or a comparison.
type node interface {
	judge(figures map[string]float64) verdict
}

// junction holds when all of its parts do, or any.
type junction struct {
	any bool
	of  []node
}

// judge gathers the parts that decide: all of them when none settles the
// matter alone, else those that settle it.
func (j *junction) judge(figures map[string]float64) verdict {
	settles, out := no, verdict{truth: yes}
	if j.any {
		settles, out.truth = yes, no
	}
	for _, n := range j.of {
		v := n.judge(figures)
		switch {
		case v.truth == settles && out.truth != settles:
			out = v
		case v.truth == settles || out.truth != settles:
			out.by = append(out.by, v.by...)
			if v.truth == open {
				out.truth = open
			}
		}
	}
	return out
}

// comparison is NAME OP QUANTITY.
type comparison struct {
	name  string
	op    op
	limit quantity
}

func (c *comparison) judge(figures map[string]float64) verdict {
	v := verdict{truth: open, by: []*comparison{c}}
	if f, ok := figures[c.name]; ok && !math.IsNaN(f) {
		v.truth = no
		if c.op.allows(side(f, c.limit.value)) {
			v.truth = yes
		}
	}
	return v
}

// say prints what the comparison saw.
func (c *comparison) say(figures map[string]float64, t truth) string {
	f, ok := figures[c.name]
	if !ok || math.IsNaN(f) {
		return c.name + " unknown"
	}
	s := c.name + " " + c.limit.show(f)
	if t == no {
		s += ", allowed " + c.op.String() + " " + c.limit.text
	}
	return s
}

// op is the set of sides on which a figure may stand.
type op uint8

const (
	below op = 1 << iota
	equal
	above
)

var opNames = [...]string{below: "<", equal: "==", below | equal: "<=", above: ">", below | above: "!=", equal | above: ">="}

func opOf(sign string, negated bool) op {
	o := op(slices.Index(opNames[:], sign))
	if negated {
		o ^= below | equal | above
	}
	return o
}

func (o op) String() string { return opNames[o] }

func (o op) allows(side int) bool { return o&(1<<(side+1)) != 0 }

// True tells whether the figures make the expression true. Unlike in a guard,
// what depends on an unknown figure is not: it is for those who search.
func (e *Expr) True(figures map[string]float64) bool { return e.root.judge(figures).truth == yes }
