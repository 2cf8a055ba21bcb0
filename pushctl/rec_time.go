package main

import (
	"strings"
	"time"

	"pushfleet/internal/knob"
)

// whenForms says how moments are written, for errors and help.
const whenForms = "14:03:07, -5m, yesterday 14:03, 2026-11-28T14:03 or now"

// parseWhen reads a moment as people write it. A time of day alone is the last
// one: in the evening 09:00 is of today, in the morning 23:00 of yesterday.
func parseWhen(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	switch text {
	case "":
		return time.Time{}, badWhen(text)
	case "now":
		return now, nil
	}
	if span, ok := strings.CutPrefix(text, "-"); ok {
		return backBy(span, text, now)
	}
	if span, ok := strings.CutSuffix(text, " ago"); ok {
		return backBy(span, text, now)
	}
	if day, ok := strings.CutPrefix(text, "yesterday"); ok {
		return onDay(strings.TrimSpace(day), text, now.AddDate(0, 0, -1))
	}
	if day, ok := strings.CutPrefix(text, "today"); ok {
		return onDay(strings.TrimSpace(day), text, now)
	}
	if t, ok := parseDated(text, now); ok {
		return t, nil
	}
	t, err := onDay(text, text, now)
	if err == nil && t.After(now) {
		t = t.AddDate(0, 0, -1)
	}
	return t, err
}

// backBy reads a span before now.
func backBy(span, text string, now time.Time) (time.Time, error) {
	d, err := knob.ParseDuration(span)
	if err != nil || d < 0 {
		return time.Time{}, badWhen(text)
	}
	return now.Add(-d), nil
}

// onDay puts a time of day on a day; none is its begin.
func onDay(clock, text string, day time.Time) (time.Time, error) {
	if clock == "" {
		clock = "00:00"
	}
	for _, form := range []string{"15:04:05", "15:04"} { // a fraction of a second may follow
		if t, err := time.Parse(form, clock); err == nil {
			y, m, d := day.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), day.Location()), nil
		}
	}
	return time.Time{}, badWhen(text)
}

// parseDated reads what has a date, of this year if it names none.
func parseDated(text string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	text = strings.Replace(text, "T", " ", 1)
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, true
		}
	}
	for _, form := range []string{"01-02 15:04:05", "01-02 15:04"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			t = t.AddDate(now.Year(), 0, 0) // from year 0
			if t.After(now) {
				t = t.AddDate(-1, 0, 0)
			}
			return t, true
		}
	}
	return time.Time{}, false
}

func badWhen(text string) error {
	return usagef("%q is no moment: write %s", text, whenForms)
}
