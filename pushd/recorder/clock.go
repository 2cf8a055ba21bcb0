package recorder

import (
	"fmt"
	"time"

	"pushfleet/internal/record"
)

// clockSlack is how far the clock on the wall may stray from the other one in
// a second before it counts as set.
const clockSlack = 500 * time.Millisecond

// clockMark tells of a clock that was set between two records, nil if it was
// not.
func clockMark(before, now *record.Record) *record.Mark {
	by := time.Duration(now.At-before.At-(now.Mono-before.Mono)) * time.Millisecond
	if by.Abs() < clockSlack {
		return nil
	}
	way := "forward"
	if by < 0 {
		way = "back"
	}
	return &record.Mark{At: now.At, Kind: record.MarkClock, Text: fmt.Sprintf("the clock was set %s by %s", way, by.Abs().Round(time.Millisecond))}
}
