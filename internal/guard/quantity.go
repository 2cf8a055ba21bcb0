package guard

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/knob"
)

// quantity is a limit as it was written. A figure compares with value and is
// printed like text.
type quantity struct {
	text  string
	value float64
	unit  string // as written, "" = none
	scale scale  // of the unit; zero when there are several, as in 1m30s
}

// scale says what one of a unit is worth. It divides for what is below one, so
// that 400000µs is 0.4 s to the last bit.
type scale struct{ times, over float64 }

func (s scale) value(x float64) float64 { return x * s.times / s.over }
func (s scale) count(v float64) float64 { return v / s.times * s.over }
func (s scale) several() bool           { return s.over == 0 }

// scales are the units. m is a minute and M a million.
var scales = map[string]scale{
	"": {1, 1}, "k": {1e3, 1}, "K": {1e3, 1}, "M": {1e6, 1}, "G": {1e9, 1}, "%": {1, 1}, "percent": {1, 1},
	"B": {1, 1}, "KB": {1e3, 1}, "kB": {1e3, 1}, "MB": {1e6, 1}, "GB": {1e9, 1}, "TB": {1e12, 1},
	"KiB": {1 << 10, 1}, "MiB": {1 << 20, 1}, "GiB": {1 << 30, 1}, "TiB": {1 << 40, 1},
	"ns": {1, 1e9}, "us": {1, 1e6}, "µs": {1, 1e6}, "μs": {1, 1e6}, "ms": {1, 1e3},
	"s": {1, 1}, "m": {60, 1}, "h": {3600, 1}, "d": {86400, 1},
}

// timeUnits cannot be had per second.
const timeUnits = " ns us µs μs ms s m h d % percent "

var errNoQuantity = errors.New("is no quantity: write it as in 5/s, 2s, 1m30s, 5%, 64KiB or 10k")

func readQuantity(text string) (quantity, error) {
	n := 0
	if text[0] == '-' || text[0] == '+' {
		n = 1
	}
	n += span(text[n:], plain)
	n = max(n, exponent(text))
	number, unit := text[:n], strings.TrimSpace(text[n:])
	q := quantity{text: number + unit, unit: unit}
	bare, rate := strings.CutSuffix(unit, "/s")
	scale, known := scales[bare]
	switch {
	case !known && strings.ContainsRune(bare, '/'):
		return q, errors.New("is not per second: rates are written as in 5/s")
	case !known:
		return q.compound()
	case rate && strings.Contains(timeUnits, " "+bare+" ") && bare != "":
		return q, errNoQuantity
	}
	v, err := strconv.ParseFloat(number, 64)
	q.scale, q.value = scale, scale.value(v)
	if err != nil || math.IsInf(q.value, 0) {
		return q, errNoQuantity
	}
	return q, nil
}

// compound reads a time of several units.
func (q quantity) compound() (quantity, error) {
	d, err := knob.ParseDuration(q.text)
	if err != nil {
		return q, errNoQuantity
	}
	q.value, q.unit = d.Seconds(), ""
	return q, nil
}

// show prints a figure in the unit of the limit, short but never so that it
// seems to stand on the other side of the limit.
func (q quantity) show(figure float64) string {
	if q.scale.several() {
		return q.showTime(figure)
	}
	x := q.scale.count(figure)
	short := strconv.FormatFloat(x, 'g', 2, 64)
	if math.Abs(x) >= 1 || x == 0 {
		short = strconv.FormatFloat(x, 'f', 1, 64)
	}
	if math.Abs(x) >= 100 {
		short = strconv.FormatFloat(x, 'f', 0, 64)
	}
	short = strings.TrimSuffix(short, ".0")
	if back, err := strconv.ParseFloat(short, 64); err != nil || side(q.scale.value(back), q.value) != side(figure, q.value) {
		short = strconv.FormatFloat(x, 'g', -1, 64)
	}
	return short + q.unit
}

func (q quantity) showTime(figure float64) string {
	if math.Abs(figure) > 1e9 { // beyond what a Duration holds
		return strconv.FormatFloat(figure, 'g', -1, 64) + "s"
	}
	d := time.Duration(figure * 1e9)
	unit := time.Millisecond
	if math.Abs(figure) >= 60 {
		unit = time.Second
	}
	if short := d.Round(unit); side(short.Seconds(), q.value) == side(figure, q.value) {
		d = short
	}
	return knob.FormatDuration(d)
}

// side tells where a stands to b: below, at or above.
func side(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
