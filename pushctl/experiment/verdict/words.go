package verdict

import (
	"math"
	"strconv"
	"strings"
)

// Minus is what stands before negative changes; it is as wide as a plus.
const Minus = "−"

// Signed writes a change of the effect's metric with its sign: +3.1 %, −0.03 ms.
func (e *Effect) Signed(v float64) string { return e.scale(v).signed(v) }

// Size writes how large a change is: 3.1 %, 0.03 ms.
func (e *Effect) Size(v float64) string { return e.scale(v).write(math.Abs(v)) }

// Interval writes the 95 % interval of the change in one unit: −11.0…−7.4 %.
func (e *Effect) Interval() string {
	s := e.scale(max(math.Abs(e.Low), math.Abs(e.High)))
	low, high := s.signed(e.Low), s.signed(e.High)
	return strings.TrimSuffix(low, s.suffix) + "…" + high
}

// scale is what changes of the metric are written in. Differences of shares
// are points, so that nobody takes them for a share of a share.
func (e *Effect) scale(v float64) scale {
	switch {
	case !e.Metric.Absolute:
		return scaleOf(Ratio, v)
	case e.Metric.Unit == Ratio:
		s := scaleOf(Ratio, v)
		s.suffix = " pt"
		return s
	}
	return scaleOf(e.Metric.Unit, v)
}

// Value writes a level of the metric with its unit.
func (m *Metric) Value(v float64) string {
	s := scaleOf(m.Unit, v)
	if v < 0 {
		return s.signed(v)
	}
	return s.write(v)
}

// scale is a unit that suits a size, with decimals that say something.
type scale struct {
	times    float64
	decimals int
	suffix   string
}

func (s scale) write(v float64) string {
	return thousands(strconv.FormatFloat(v*s.times, 'f', s.decimals, 64)) + s.suffix
}

func (s scale) signed(v float64) string {
	text := s.write(math.Abs(v))
	switch {
	case strings.Trim(strings.TrimSuffix(text, s.suffix), "0.") == "":
		return "0" + s.suffix
	case v < 0:
		return Minus + text
	}
	return "+" + text
}

// scaleOf is the scale for values up to v.
func scaleOf(unit string, v float64) scale {
	a := math.Abs(v)
	switch unit {
	case Seconds:
		return scaleSeconds(a)
	case Bytes:
		return scaleBytes(a)
	case Ratio:
		return scale{100, percentDecimals(100 * a), " %"}
	}
	return scale{1, decimals(a), ""}
}

func scaleSeconds(a float64) scale {
	switch {
	case a == 0:
		return scale{1e3, 0, " ms"}
	case a < 0.9995e-6:
		return scale{1e9, 0, " ns"}
	case a < 0.4995e-3:
		return scale{1e6, decimals(a * 1e6), " µs"}
	case a < 0.9995:
		return scale{1e3, decimals(a * 1e3), " ms"}
	}
	return scale{1, decimals(a), " s"}
}

func scaleBytes(a float64) scale {
	switch {
	case a < 9_999.5:
		return scale{1, 0, " B"}
	case a < 999_500:
		return scale{1e-3, decimals(a / 1e3), " KB"}
	case a < 999.5e6:
		return scale{1e-6, decimals(a / 1e6), " MB"}
	}
	return scale{1e-9, decimals(a / 1e9), " GB"}
}

// decimals are as many as make three digits, at most two.
func decimals(a float64) int {
	switch {
	case a >= 99.95:
		return 0
	case a >= 9.995:
		return 1
	}
	return 2
}

func percentDecimals(a float64) int {
	switch {
	case a == 0 || a >= 99.95:
		return 0
	case a >= 0.995:
		return 1
	}
	return 2
}

// thousands sets commas into a number's whole part.
func thousands(s string) string {
	whole, _, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
