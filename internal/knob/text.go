package knob

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// boolWords are the words that a switch is printed with, by value.
var boolWords = []string{"off", "on"}

// parse reads a text into bits and holds it against the declared range.
func (k *declared) parse(text string) (int64, error) {
	bits, err := k.parseBits(strings.TrimSpace(text))
	if err != nil {
		return 0, k.refuse(CodeSyntax, text, err.Error())
	}
	if !k.holds(bits) {
		return 0, k.refuse(CodeRange, text, "is out of range")
	}
	return bits, nil
}

func (k *declared) parseBits(s string) (int64, error) {
	if s == "" {
		return 0, errors.New("is empty")
	}
	switch k.kind {
	case kindBytes:
		return parseBytes(s)
	case kindDuration:
		d, err := parseDuration(s)
		return int64(d), err
	case kindBool:
		return parseBool(s)
	case kindEnum:
		return parseEnum(s, k.values)
	case kindFloat:
		return parseFloat(k.withoutUnit(s))
	}
	return parseInt(k.withoutUnit(s))
}

// withoutUnit takes the knob's own unit off the end: "256 messages", "5%".
func (k *declared) withoutUnit(s string) string {
	if k.spec.Unit == "percent" {
		s = strings.TrimSpace(strings.TrimSuffix(s, "%"))
	}
	if k.spec.Unit != "" {
		s = strings.TrimSpace(strings.TrimSuffix(s, k.spec.Unit))
	}
	return s
}

// carriesUnit tells whether format writes the unit.
func (k *declared) carriesUnit() bool {
	switch k.kind {
	case kindBytes, kindDuration:
		return true
	case kindInt, kindFloat:
		return k.spec.Unit == "percent"
	}
	return false
}

// format prints bits in a form that parse reads back to the same bits.
func (k *declared) format(bits int64) string {
	switch k.kind {
	case kindBytes:
		return formatBytes(bits)
	case kindDuration:
		return formatDuration(time.Duration(bits))
	case kindBool, kindEnum:
		if bits < 0 || bits >= int64(len(k.values)) {
			return "#" + strconv.FormatInt(bits, 10)
		}
		return k.values[bits]
	}
	s := strconv.FormatInt(bits, 10)
	if k.kind == kindFloat {
		s = strconv.FormatFloat(ffrom(bits), 'g', -1, 64)
	}
	if k.carriesUnit() {
		s += "%"
	}
	return s
}

func parseBool(s string) (int64, error) {
	switch strings.ToLower(s) {
	case "on", "true", "yes", "1":
		return 1, nil
	case "off", "false", "no", "0":
		return 0, nil
	}
	return 0, errors.New("is neither on nor off")
}

func parseEnum(s string, values []string) (int64, error) {
	for i, v := range values {
		if strings.EqualFold(v, s) {
			return int64(i), nil
		}
	}
	if near := Closest(s, values); near != "" {
		return 0, errors.New("is not a choice, did you mean " + near + "?")
	}
	return 0, errors.New("is not a choice")
}

func parseFloat(s string) (int64, error) {
	s, err := ungroup(s)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || isHex(s) {
		return 0, errors.New("is not a number")
	}
	return fbits(v), nil
}

func isHex(s string) bool { return strings.ContainsAny(s, "xXpP") }
