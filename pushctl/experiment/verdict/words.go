package verdict

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Minus is what stands before negative changes; it is as wide as a plus.
const Minus = "−"

// Signed writes a change of the effect's metric with its sign: +3.1 %, −0.03 ms.
func (e *Effect) Signed(v float64) string {
	sign := "+"
	if v < 0 {
		sign = Minus
	}
	return sign + e.Size(math.Abs(v))
}

// Size writes how large a change is: 3.1 %, 0.03 ms.
func (e *Effect) Size(v float64) string {
	if !e.Metric.Absolute {
		return percent(v)
	}
	return e.Metric.Value(v)
}

// Value writes a level of the metric with its unit.
func (m *Metric) Value(v float64) string {
	switch m.Unit {
	case Seconds:
		return seconds(v)
	case Bytes:
		return bytes(v)
	case Ratio:
		return percent(v)
	}
	return short(v)
}

// percent writes a share of 1 with as many digits as say something.
func percent(v float64) string {
	v *= 100
	switch a := math.Abs(v); {
	case a == 0:
		return "0 %"
	case a < 0.00995:
		return "<0.01 %"
	case a < 0.995:
		return strconv.FormatFloat(v, 'f', 2, 64) + " %"
	case a < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64) + " %"
	}
	return short(v) + " %"
}

func seconds(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0 ms"
	case a < 0.9995e-6:
		return short(v*1e9) + " ns"
	case a < 0.09995e-3:
		return short(v*1e6) + " µs"
	case a < 0.9995:
		return short(v*1e3) + " ms"
	}
	return short(v) + " s"
}

func bytes(v float64) string {
	for _, unit := range []string{"B", "KB", "MB"} {
		if math.Abs(v) < 9995 && unit == "B" || math.Abs(v) < 999.5 {
			return short(v) + " " + unit
		}
		v /= 1000
	}
	return short(v) + " GB"
}

// short writes three digits, with thousands apart from 1,000 on.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 999.5:
		return thousands(v)
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.00995 || a == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return fmt.Sprintf("%.1g", v)
}

func thousands(v float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
