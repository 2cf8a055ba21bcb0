package stats

import (
	"fmt"
	"slices"
	"strings"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// By is the column that a query sorts by, largest first.
type By uint8

// The sort columns.
const (
	ByQueued By = iota // messages waiting
	ByBytes            // bytes waiting
	ByWait             // time the newest message will wait
	ByDrain            // growing by soonest limit, then longest drain, then unsure by queued
	ByIn               // messages offered per second
	ByOut              // messages written per second
	ByDrops            // messages dropped since it opened
	ByRTT              // smoothed round-trip time
)

var byNames = []string{"queued", "bytes", "wait", "drain", "in", "out", "drops", "rtt"}

// String returns the word used in the API.
func (b By) String() string {
	if int(b) < len(byNames) {
		return byNames[b]
	}
	return "unknown"
}

// ByNames lists the sort columns, for help texts.
func ByNames() []string { return slices.Clone(byNames) }

// RowsMax bounds the rows of a query, RowsDefault is the number when none is
// asked for.
const (
	RowsMax     = 1000
	RowsDefault = 20
)

// Query asks for the N worst connections.
type Query struct {
	By     By
	Window int    // 1, 10 or 100 seconds; anything else is 10
	N      int    // rows, 1…RowsMax; 0 is RowsDefault
	Where  *Where // nil: all
	Node   string // copied to the answer
}

// ParseQuery reads a query as it comes from the command line or URL; empty by
// is wait, window 0 is 10 and n 0 is RowsDefault.
func ParseQuery(by string, window, n int, where string) (q Query, err error) {
	if by == "" {
		by = "wait"
	}
	i := slices.Index(byNames, by)
	if i < 0 {
		return q, fmt.Errorf("cannot sort by %q; choose one of %s", by, strings.Join(byNames, ", "))
	}
	switch window {
	case 0:
		window = 10
	case 1, 10, 100:
	default:
		return q, fmt.Errorf("no window of %d s; choose 1, 10 or 100", window)
	}
	if n == 0 {
		n = RowsDefault
	}
	if n < 1 || n > RowsMax {
		return q, fmt.Errorf("cannot show %d rows; choose 1 to %d", n, RowsMax)
	}
	q = Query{By: By(i), Window: window, N: n}
	if strings.TrimSpace(where) != "" {
		q.Where, err = ParseWhere(where)
	}
	return q, err
}

// Source is one loop's connections as a query sees them.
type Source struct {
	Cols *Columns
	// QueueMax is the limit of a queue in messages, for the time until a
	// growing one is full; nil or 0: none.
	QueueMax func() int
	// QueueBytes is the limit in bytes, likewise.
	QueueBytes func() int
	// Age returns how long ago the connection in slot opened, in ms. Rates of a
	// young connection are corrected with it. It is called for candidates, on
	// the querying goroutine. nil: no correction before Fill has told the age.
	Age func(slot uint32) uint32
	// Fill adds what the columns do not know: user and age. It is called for
	// the rows of the answer, and with a filter for every candidate, on the
	// querying goroutine. It may be nil.
	Fill func(h push.Handle, row *pushdapi.ConnRow)
}
