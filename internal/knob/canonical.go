package knob

import (
	"fmt"
	"slices"
	"strings"
)

// Form is a declaration as texts, the way State prints it and nodes report it.
type Form struct {
	Name, Type, Unit, Default string
	Min, Max                  string   // neither for bool and enum
	Values                    []string // of bool and enum
}

// FormOf returns the declaration in a State.
func FormOf(s State) Form {
	return Form{Name: s.Name, Type: s.Type, Unit: s.Unit, Default: s.Default, Min: s.Min, Max: s.Max, Values: s.Values}
}

// Canonical turns what people write (1.5MiB, 1,024, true) into the text that a
// node which declares d prints (1536KiB, 1024, on). A text that such a node
// would refuse is an *Error in the same words.
func Canonical(d Form, text string) (string, error) {
	k, err := d.declared()
	if err != nil {
		return "", err
	}
	bits, err := k.parse(text)
	if err != nil {
		return "", err
	}
	return k.format(bits), nil
}

// declared reads the texts of a declaration.
func (d Form) declared() (*declared, error) {
	at := slices.Index(kindNames[:], d.Type)
	if at < 0 {
		return nil, fmt.Errorf("knob %s: %q is no type; there are %s", d.Name, d.Type, orList(kindNames[:]))
	}
	k := &declared{spec: Spec{Name: d.Name, Unit: d.unit()}, kind: kind(at), values: d.Values}
	switch k.kind {
	case kindBool:
		k.values = boolWords
		fallthrough
	case kindEnum:
		if len(k.values) == 0 {
			return nil, fmt.Errorf("knob %s: a choice needs values", d.Name)
		}
		k.max = int64(len(k.values) - 1)
		return k, nil
	}
	k.values = nil
	for _, bound := range []struct {
		what, text string
		into       *int64
	}{{"minimum", d.Min, &k.min}, {"maximum", d.Max, &k.max}} {
		bits, err := k.parseBits(strings.TrimSpace(bound.text))
		if err != nil {
			return nil, fmt.Errorf("knob %s: the declared %s %q %w", d.Name, bound.what, bound.text, err)
		}
		*bound.into = bits
	}
	return k, nil
}

// unit finds the unit that State leaves out where the texts carry it.
func (d Form) unit() string {
	if d.Unit == "" && strings.HasSuffix(d.Min, "%") && strings.HasSuffix(d.Max, "%") {
		return "percent"
	}
	return d.Unit
}
