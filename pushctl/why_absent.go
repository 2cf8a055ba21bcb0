package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// whyAbsent is the answer about a user without a connection.
type whyAbsent struct {
	Node   string               `json:"node"` // that was asked
	User   string               `json:"user"`
	Kind   string               `json:"kind"`           // absent
	Replay int                  `json:"replay"`         // messages kept for when it comes back
	Last   []pushdapi.ClosedRow `json:"last,omitempty"` // connections that it had, the latest first
}

// closedLook is how many closed connections of a node are searched for those of
// a user, whyLast how many of them are told.
const (
	closedLookMax = 10_000
	whyLast       = 3
)

// errAbsent is what the exit status tells.
type absentError struct{ user string }

func (e *absentError) Error() string { return table.Safe(e.user) + " has no connection" }

// absent tells of a user without a connection what is known, and fails.
func (w *whying) absent(ctx context.Context, found *answers[whyFound]) error {
	a := ask(ctx, found.from, func(ctx context.Context, c *pushdapi.Client) (*whyAbsent, error) {
		rows, err := c.Closed(ctx, "", closedLookMax)
		rows = slices.DeleteFunc(rows, func(r pushdapi.ClosedRow) bool { return r.User != w.arg })
		return &whyAbsent{Node: c.Addr(), User: w.arg, Kind: "absent", Last: rows[:min(whyLast, len(rows))]}, err
	})
	if len(a.vals) == 0 {
		return a.err()
	}
	v := &view{lines: func() []string { return absentLines(a.vals) }}
	for i, x := range a.vals {
		for _, f := range found.vals {
			if f.client == a.from[i] {
				x.Replay = f.info.Replay
			}
		}
		v.docs, v.rows = append(v.docs, x), append(v.rows, x)
	}
	if err := w.print(v); err != nil {
		return err
	}
	// One of the silent ones may have it.
	if err := cmp.Or(a.err(), found.err()); err != nil {
		return err
	}
	return &shownError{&absentError{w.arg}}
}

func absentLines(all []*whyAbsent) []string {
	user := table.Safe(all[0].User)
	lines := []string{user + " has no connection."}
	if len(all) > 1 {
		lines = []string{fmt.Sprintf("%s has no connection on any of %d nodes.", user, len(all))}
	}
	known := false
	for _, a := range all {
		for _, r := range a.Last {
			known = true
			text := fmt.Sprintf("%s closed %s (%s) after %s, delivered %s", r.Conn, r.At.Local().Format("15:04:05"), table.Safe(r.Reason),
				table.Seconds(r.AgeSeconds), table.Count(r.Delivered))
			if r.Detail != "" {
				text += ", " + table.Safe(r.Detail)
			}
			if r.Queued > 0 {
				text += fmt.Sprintf(", %s left in its queue", table.Plural(r.Queued, "message"))
			}
			lines = append(lines, table.Wrap(text, "  ", table.Columns)...)
		}
		if a.Replay > 0 {
			lines = append(lines, fmt.Sprintf("%s wait for it to come back.", table.Plural(int64(a.Replay), "message")))
		}
	}
	if !known {
		lines = append(lines, "None of those that closed lately was its own: it was never here, or too long ago.")
	}
	return append(lines, "  see who is connected   pushctl top", "  see who was            pushctl closed")
}
