package state

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// Members of different builds must judge a text alike, so the grammar here is
// fixed with the version of commands and not shared with the nodes' parser.
// It is the form that nodes print: 1024, 64KiB, 1m30s, 5%, on, coalesce. What
// people write (1,024 or 1.5MiB) becomes that before it is a command.

// decl is a declaration with its bounds read.
type decl struct {
	*keeperapi.Decl
	min, max   int64 // of int, bytes and duration (ns)
	fmin, fmax float64
}

var errNotKind = errors.New("unknown type")

func readDecl(d *keeperapi.Decl) (*decl, error) {
	out := &decl{Decl: d}
	var err, err2, err3 error
	switch d.Type {
	case "int", "bytes", "duration":
		out.min, err = readWhole(d.Type, d.Unit, d.Min)
		out.max, err2 = readWhole(d.Type, d.Unit, d.Max)
		_, err3 = readWhole(d.Type, d.Unit, d.Default)
	case "float":
		out.fmin, err = readFloat(d.Unit, d.Min)
		out.fmax, err2 = readFloat(d.Unit, d.Max)
		_, err3 = readFloat(d.Unit, d.Default)
	case "bool", "enum":
		if len(d.Values) == 0 || len(d.Values) > 100 {
			err = errors.New("needs 1 to 100 values")
		}
	default:
		err = errNotKind
	}
	return out, errors.Join(err, err2, err3)
}

// judge returns the refusal of a text, or nothing.
func (d *decl) judge(text string) (code keeperapi.Code, reason string) {
	inside := true
	switch d.Type {
	case "bool", "enum":
		for _, v := range d.Values {
			if v == text {
				return "", ""
			}
		}
		return keeperapi.CodeSyntax, "is not a choice"
	case "float":
		v, err := readFloat(d.Unit, text)
		if err != nil {
			return keeperapi.CodeSyntax, err.Error()
		}
		inside = v >= d.fmin && v <= d.fmax
	default:
		v, err := readWhole(d.Type, d.Unit, text)
		if err != nil {
			return keeperapi.CodeSyntax, err.Error()
		}
		inside = v >= d.min && v <= d.max
	}
	if !inside {
		return keeperapi.CodeRange, "is out of range"
	}
	return "", ""
}

// allowed prints the range.
func (d *decl) allowed() string {
	if len(d.Values) > 0 {
		return shortened(strings.Join(d.Values, ", "))
	}
	s := d.Min + " to " + d.Max
	if d.Unit != "" {
		s += " " + d.Unit
	}
	return s
}

var byteUnits = []struct {
	suffix string
	times  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

func readWhole(kind, unit, text string) (int64, error) {
	switch kind {
	case "duration":
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, errors.New("is not a duration such as 250ms or 1m30s")
		}
		return int64(d), nil
	case "bytes":
		for _, u := range byteUnits {
			if number, ok := strings.CutSuffix(text, u.suffix); ok {
				n, err := readInt(number)
				if err == nil && (n > math.MaxInt64/u.times || n < math.MinInt64/u.times) {
					err = errors.New("is too large")
				}
				return n * u.times, err
			}
		}
		return readInt(text)
	}
	return readInt(withoutUnit(unit, text))
}

func readInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return 0, errors.New("is not a whole number")
	}
	return n, nil
}

func readFloat(unit, s string) (float64, error) {
	s = withoutUnit(unit, s)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(s, "xXpP_") {
		return 0, errors.New("is not a number")
	}
	return v, nil
}

func withoutUnit(unit, s string) string {
	s = strings.TrimSuffix(s, "%")
	if unit != "" {
		s = strings.TrimSpace(strings.TrimSuffix(s, unit))
	}
	return s
}
