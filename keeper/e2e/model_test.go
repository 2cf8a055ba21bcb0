package e2e

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// verb is what a client asked of one knob.
type verb string

const (
	verbGet verb = "get"
	verbSet verb = "set"
	verbCAS verb = "cas" // a set that is refused if the knob changed after a revision
)

// asked is an operation's input.
type asked struct {
	verb  verb
	knob  string
	value string
	since uint64 // of verbCAS
}

// told is its output.
type told struct {
	open     bool   // nobody knows whether it was done, or ever will be
	refused  bool   // of verbCAS: the knob had changed
	value    string // of verbGet
	revision uint64 // of a change, or of the last change that verbGet saw
}

// cell is one knob's state. The revision of its last change is in [least, most]:
// known after an answer, not after a change that was never answered.
type cell struct {
	value       string
	least, most uint64
}

// ever bounds revisions from above.
const ever = 1 << 62

// knobModel says how knobs behave when each operation happens at one moment
// between its call and its return. An open operation returns never, so that it
// may also happen after everything else, which is as if it had not.
func knobModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: byKnob,
		Init:      func() []any { return []any{cell{}} },
		Step:      func(s, in, out any) []any { return step(s.(cell), in.(asked), out.(told)) },
		Hash: func(s any) uint64 {
			h := uint64(14695981039346656037) // FNV-1a
			for _, b := range []byte(s.(cell).value) {
				h = (h ^ uint64(b)) * 1099511628211
			}
			return h
		},
		DescribeOperation: func(in, out any) string { return describe(in.(asked), out.(told)) },
		DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
	}
	return m.ToModel()
}

func byKnob(history []porcupine.Operation) [][]porcupine.Operation {
	at := map[string]int{}
	var out [][]porcupine.Operation
	for _, o := range history {
		k := o.Input.(asked).knob
		if _, ok := at[k]; !ok {
			at[k] = len(out)
			out = append(out, nil)
		}
		out[at[k]] = append(out[at[k]], o)
	}
	return out
}

// step returns the states that may follow, none if the answer is impossible.
func step(c cell, in asked, out told) []any {
	switch in.verb {
	case verbGet:
		return read(c, out)
	case verbSet:
		return written(c, in, out)
	}
	var next []any
	// Done: the last change was not after since.
	if done := (cell{c.value, c.least, min(c.most, in.since)}); !out.refused && done.least <= done.most {
		next = append(next, written(done, in, out)...)
	}
	// Refused: it was.
	if not := (cell{c.value, max(c.least, in.since+1), c.most}); (out.refused || out.open) && not.least <= not.most {
		next = append(next, not)
	}
	return next
}

func read(c cell, out told) []any {
	if out.value != c.value || out.revision < c.least || out.revision > c.most {
		return nil
	}
	return []any{cell{c.value, out.revision, out.revision}}
}

func written(c cell, in asked, out told) []any {
	switch {
	case out.open:
		return []any{cell{in.value, c.least + 1, ever}}
	case out.revision <= c.least:
		return nil
	}
	return []any{cell{in.value, out.revision, out.revision}}
}

func describe(in asked, out told) string {
	switch {
	case in.verb == verbGet:
		return fmt.Sprintf("get %s → %q r%d", in.knob, out.value, out.revision)
	case out.open:
		return fmt.Sprintf("%s %s %s since r%d → ?", in.verb, in.knob, in.value, in.since)
	case out.refused:
		return fmt.Sprintf("cas %s %s since r%d → refused", in.knob, in.value, in.since)
	}
	return fmt.Sprintf("%s %s %s since r%d → r%d", in.verb, in.knob, in.value, in.since, out.revision)
}
