package knob

import (
	"fmt"
	"strings"
)

// Code classes an Error for programs; it is one stable word.
type Code string

// The codes.
const (
	CodeUnknown  Code = "unknown_knob" // no knob of that name
	CodeSyntax   Code = "syntax"       // the text is not a value of the type
	CodeRange    Code = "range"        // outside the declared range
	CodeRule     Code = "rule"         // breaks a rule over several knobs
	CodeRevision Code = "revision"     // the registry has moved on
)

// Error says why a value was refused, in a sentence for the operator.
type Error struct {
	Code    Code
	Knob    string // empty when several or none is to blame
	Message string
}

func (e *Error) Error() string { return e.Message }

func unknownName(name string, names []string) *Error {
	msg := fmt.Sprintf("there is no knob %q", name)
	if near := Closest(name, names); near != "" {
		msg += fmt.Sprintf("; did you mean %s?", near)
	} else {
		msg += "; see pushctl knob list"
	}
	return &Error{CodeUnknown, name, msg}
}

func staleRevision(want, have uint64) *Error {
	return &Error{CodeRevision, "", fmt.Sprintf(
		"the knobs are at revision %d, not %d: look at what changed and set again with the new revision", have, want)}
}

func brokenRule(sentence string, edits []edit) *Error {
	var to []string
	for _, e := range edits {
		to = append(to, e.k.spec.Name+"="+e.k.format(e.bits))
	}
	return &Error{CodeRule, "", fmt.Sprintf("%s: %s", strings.Join(to, " "), sentence)}
}

// refuse makes the error of a text that is no value of the knob, or of a value
// out of range: it always names the knob, the text and what is allowed.
func (k *declared) refuse(code Code, text, reason string) *Error {
	return &Error{code, k.spec.Name, fmt.Sprintf("%s: %q %s; allowed is %s", k.spec.Name, text, reason, k.rangeText())}
}

// rangeText prints what is allowed: "16 to 65536 messages", "on or off".
func (k *declared) rangeText() string {
	if k.values != nil {
		return orList(k.values)
	}
	s := k.format(k.min) + " to " + k.format(k.max)
	if k.spec.Unit != "" && !k.carriesUnit() {
		s += " " + k.spec.Unit
	}
	return s
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
