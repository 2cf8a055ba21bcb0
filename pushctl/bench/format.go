package bench

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"pushfleet/internal/swarm"
)

// commas prints a whole number with thousands apart.
func commas[T int | int64 | uint64 | float64](n T) string {
	s := strconv.FormatInt(int64(math.Round(float64(n))), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// span prints seconds with the unit that fits: 34 µs, 0.9 ms, 2.2 s.
func span(s float64) string {
	switch a := math.Abs(s); {
	case math.IsNaN(s):
		return "–"
	case a == 0:
		return "0"
	case a < 0.9995e-6:
		return fmt.Sprintf("%.0f ns", s*1e9)
	case a < 0.4995e-3:
		return fmt.Sprintf("%s µs", digits(s*1e6))
	case a < 0.9995:
		return fmt.Sprintf("%s ms", digits(s*1e3))
	}
	return fmt.Sprintf("%s s", digits(s))
}

// digits prints two or three figures that matter.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 999.5:
		return commas(v)
	case a >= 9.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 0.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// value prints a figure with its unit.
func value(v float64, unit string) string {
	switch unit {
	case "s":
		return span(v)
	case "B":
		if math.Abs(v) >= 1e6 {
			return swarm.Bytes(int64(v))
		}
		return commas(v) + " B"
	case "share":
		return fmt.Sprintf("%+.1f %%", v*100)
	case "1/s":
		return digits(v) + "/s"
	}
	return digits(v)
}

// runSeconds prints the time of a run as the left column of its lines.
func runSeconds(d time.Duration) string { return fmt.Sprintf("%4.0f s", d.Seconds()) }

func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return commas(n) + " " + one + "s"
}
