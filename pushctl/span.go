package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// span is the value of a flag that may be long: 90d, 1d12h, 10m.
type span struct{ d time.Duration }

// Set reads what time.ParseDuration does, and leading whole days.
func (s *span) Set(text string) error {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > uint64(math.MaxInt64/(24*time.Hour)) {
		return errSpan
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || more > math.MaxInt64-d {
			return errSpan
		}
		d += more
	}
	if d <= 0 {
		return errSpan
	}
	s.d = d
	return nil
}

var errSpan = errors.New("want a time above zero, for example 10m, 12h or 90d")

func (s *span) String() string {
	if s == nil || s.d == 0 {
		return ""
	}
	return s.d.String()
}
