// Package guard reads and judges conditions over a node's own figures, such as
// "drops.10s < 5/s && wait.p99.10s < 2s". A value or a rollout carries one: the
// node that holds the value goes back by itself when it breaks. The package is
// pure; who has the figures passes them in.
package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushfleet/internal/knob"
)

// Bounds of an expression.
const (
	BytesMax = 1024
	DepthMax = 32 // parentheses and negations within each other
)

// Expr is one parsed expression. It does not change and may be used by many
// goroutines.
type Expr struct {
	text string
	root node
	uses map[string]int // name → column where it stands first
}

// Error says what is wrong with an expression and where. Column counts bytes
// from 1.
type Error struct {
	Column  int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("guard, column %d: %s", e.Column, e.Message) }

// Parse reads comparisons NAME OP QUANTITY, joined by &&, ||, ! and
// parentheses; && binds closer than ||. A name is dotted: drops.10s. The
// operators are < <= > >= == !=. A quantity is a number with an optional unit:
// 5/s, 2s, 250ms, 1m30s, 5%, 64KiB, 10k. Times compare in seconds, percentages
// in percent points, sizes in bytes. Errors are *Error.
func Parse(text string) (*Expr, error) {
	if len(text) > BytesMax {
		return nil, &Error{BytesMax + 1, fmt.Sprintf("is %d bytes long, more than %d: make it shorter", len(text), BytesMax)}
	}
	p := &parser{scanner: scanner{text: text}, uses: map[string]int{}}
	p.next()
	root, err := p.expression(0, false)
	if err == nil && p.tok.kind != tokEnd {
		err = p.expected("&&, || or the end")
	}
	if err != nil {
		return nil, err
	}
	return &Expr{text: strings.TrimSpace(text), root: root, uses: p.uses}, nil
}

// String returns the text that was parsed.
func (e *Expr) String() string { return e.text }

// Names returns the figures that are asked for, each once, sorted.
func (e *Expr) Names() []string { return slices.Sorted(maps.Keys(e.uses)) }

// Check returns an *Error for the first name that is not among the known ones,
// with what was probably meant.
func (e *Expr) Check(known []string) error {
	var worst *Error
	for name, column := range e.uses {
		if slices.Contains(known, name) || worst != nil && worst.Column < column {
			continue
		}
		worst = &Error{column, unknownFigure(name, known)}
	}
	if worst == nil {
		return nil
	}
	return worst
}

func unknownFigure(name string, known []string) string {
	said := fmt.Sprintf("there is no figure %q", name)
	if near := knob.Closest(name, known); near != "" {
		return said + "; did you mean " + near + "?"
	}
	if len(known) == 0 {
		return said + ": this node reports none"
	}
	const show = 12
	list := slices.Sorted(slices.Values(known))
	more := ""
	if len(list) > show {
		list, more = list[:show], ", …"
	}
	return said + "; there are " + strings.Join(list, ", ") + more
}
