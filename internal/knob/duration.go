package knob

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads a span of time as knobs do: 250ms, 1m30s, 1m 30s, 2d.
// Only 0 may come without a unit.
func ParseDuration(s string) (time.Duration, error) { return parseDuration(s) }

// FormatDuration prints a span of time as knobs do: 1h, not 1h0m0s.
func FormatDuration(d time.Duration) string { return formatDuration(d) }

// parseDuration reads what time.ParseDuration does, spaces between the parts
// (1m 30s) and leading whole days (1d12h). A number without unit is refused,
// except 0: whether 5 means seconds or milliseconds is what outages are made of.
func parseDuration(s string) (time.Duration, error) {
	s = strings.ReplaceAll(s, " ", "")
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, errors.New("has no unit: write " + s + "s or " + s + "ms")
	}
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return cleanDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > uint64(math.MaxInt64/day) {
		return 0, errNotDuration
	}
	total := time.Duration(n) * day
	if rest == "" {
		return total, nil
	}
	d, err := cleanDuration(rest)
	if err != nil || d < 0 || d > math.MaxInt64-total {
		return 0, errNotDuration
	}
	return total + d, nil
}

var errNotDuration = errors.New("is not a duration such as 250ms, 30s, 1m30s or 2d")

func cleanDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errNotDuration
	}
	return d, nil
}

// formatDuration prints like Duration.String without the zero tail: 1h, not 1h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
