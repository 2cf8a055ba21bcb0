// Package table renders what a node says for people: numbers with their
// units, aligned columns within 80 characters, and one screen per command. It
// knows the API's types and no socket.
package table

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Dash stands where there is nothing to show.
const Dash = "–"

// Count writes a number with thousands separators: 48,210.
func Count[T ~int | ~int64 | ~uint64 | ~uint32 | ~uint8](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Figure writes a quantity per second or a mean without its unit: 25.1, 9.8,
// 12,410, 3.0M; one decimal below 1,000, a dash for zero.
func Figure(v float64) string {
	switch {
	case bad(v) || v == 0:
		return Dash
	case v > 0 && v < 0.05:
		return "<0.1"
	case math.Abs(v) < 999.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return large(v)
}

// large is a count, in millions where one by one says nothing more.
func large(v float64) string {
	switch {
	case math.Abs(v) < 999_999.5:
		return Count(int64(math.Round(v)))
	case math.Abs(v) < 9.95e6:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + "M"
	}
	return Count(int64(math.Round(v/1e6))) + "M"
}

// Rate writes a quantity per second: 12,410/s, 12/s, 0.4/s, a dash for zero.
func Rate(v float64) string {
	switch {
	case bad(v) || v == 0:
		return Dash
	case v > 0 && v < 0.05:
		return "<0.1/s"
	case math.Abs(v) < 9.95:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + "/s"
	}
	return large(v) + "/s"
}

// Bytes writes a size in powers of 1,000: 214 B, 8.1 KB, 61 MB.
func Bytes[T ~int | ~int64 | ~uint64 | ~uint32 | ~float64](n T) string {
	v := float64(n)
	if bad(v) || math.Abs(v) < 999.5 {
		return Count(int64(math.Round(v))) + " B"
	}
	for _, unit := range []string{"KB", "MB", "GB", "TB"} {
		v /= 1000
		switch {
		case math.Abs(v) < 9.95:
			return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
		case math.Abs(v) < 999.5:
			return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
		}
	}
	return Count(int64(math.Round(v))) + " TB"
}

// ByteRate writes bytes per second: 2.4 MB/s, a dash for zero.
func ByteRate(v float64) string {
	if bad(v) || v == 0 {
		return Dash
	}
	return Bytes(v) + "/s"
}

// Percent writes a share given in percent: 38 %, 0.4 %.
func Percent(v float64) string {
	switch {
	case bad(v):
		return Dash
	case v == 0:
		return "0 %"
	case v > 0 && v < 0.05:
		return "<0.1 %"
	case math.Abs(v) < 9.95:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + " %"
	}
	return Count(int64(math.Round(v))) + " %"
}

// Seconds writes a time in running text: 80 µs, 0.9 ms, 212 ms, 2.1 s, 1m44s,
// 2h 11m, 3d 4h.
func Seconds(s float64) string { return seconds(s, " ") }

// Cell writes a time for a column, as Seconds does but closer: 20.8s, 2h11m.
func Cell(s float64) string { return seconds(s, "") }

func seconds(s float64, gap string) string {
	if bad(s) {
		return Dash
	}
	if s < 0 {
		return "-" + seconds(-s, gap)
	}
	switch {
	case s == 0:
		return "0" + gap + "s"
	case s < 0.0005:
		return fmt.Sprintf("%.0f µs", math.Max(1, s*1e6))
	case s < 0.00995:
		return fmt.Sprintf("%.1f ms", s*1e3)
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", s*1e3)
	case s < 59.95:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", s), ".0") + gap + "s"
	}
	n := int64(math.Round(s))
	switch {
	case n < 3600:
		return fmt.Sprintf("%dm%02ds", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%dh%s%dm", n/3600, gap, n%3600/60)
	}
	return fmt.Sprintf("%dd%s%dh", n/86400, gap, n%86400/3600)
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
