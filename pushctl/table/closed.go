package table

import (
	"fmt"
	"slices"
	"time"

	"pushfleet/internal/pushdapi"
)

// ClosedRow is a closed connection with the node it was on.
type ClosedRow struct {
	Node string `json:"node"`
	pushdapi.ClosedRow
}

// Closed renders connections that are gone, latest first. now decides which
// times need a date.
func Closed(rows []ClosedRow, reason string, now time.Time, wide bool, st Style) []string {
	if len(rows) == 0 {
		return []string{"no connection closed" + orNone(reason != "", " with reason "+reason)}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := closedGrid()
	by := map[string]uint64{}
	several := slices.ContainsFunc(rows, func(r ClosedRow) bool { return r.Node != rows[0].Node })
	for i := range rows {
		id := rows[i].Conn
		if several {
			id = ConnID(rows[i].Node, id)
		}
		g.Rows = append(g.Rows, closedCells(&rows[i], id, now))
		by[rows[i].Reason]++
	}
	title := fmt.Sprintf("%s closed, latest first", Plural(int64(len(rows)), "connection"))
	lines := []string{st.Apply(Strong, title) + "  " + Fit(counts(by, " "), ", ", Columns-2-Width(title))}
	lines = append(lines, g.Lines(width, st)...)
	if by["slow"] > 0 && reason == "" {
		lines = append(lines, "", "slow clients were let go: pushctl closed --reason slow")
	}
	return lines
}

func closedGrid() *Grid {
	return &Grid{Columns: []Column{
		{Head: "NODE", Wide: true}, {Head: "CLOSED", Right: true}, {Head: "CONN"}, {Head: "USER", Flex: true}, {Head: "PROTO"},
		{Head: "REASON", Flex: true}, {Head: "OPEN", Right: true}, {Head: "OUT", Right: true, Wide: true}, {Head: "LEFT", Right: true},
		{Head: "DROPS", Right: true}, {Head: "BYTES LEFT", Right: true, Wide: true}, {Head: "IN/s", Right: true, Wide: true},
		{Head: "OUT/s", Right: true, Wide: true}, {Head: "PEAK", Right: true, Wide: true}, {Head: "RTT", Right: true, Wide: true},
		{Head: "UP", Right: true, Wide: true}, {Head: "PEER", Wide: true}, {Head: "DETAIL", Flex: true}}}
}

func closedCells(r *ClosedRow, id string, now time.Time) []Text {
	mark := Plain
	if r.Reason == "slow" || r.Reason == "error" || r.Reason == "memory" {
		mark = Bad
	}
	return []Text{
		{S: Safe(name(r.Node))}, {S: when(r.At, now)}, {S: Safe(id)}, {S: Safe(or(r.User))}, {S: or(r.Proto)},
		{Safe(r.Reason), mark}, {S: Cell(r.AgeSeconds)}, {S: countCell(int64(r.Delivered))}, {S: countCell(r.Queued)},
		dropCell(r.Drops), {S: bytesCell(r.QueuedB)}, {S: Figure(r.In10)},
		{S: Figure(r.Out10)}, {S: level(r.Peak100)}, {S: rttCell(r.RTTSeconds)},
		{S: countCell(int64(r.Received))}, {S: Safe(or(r.Peer))}, {S: Safe(r.Detail)}}
}

// when is a time of day, with the date when that is not clear by itself.
func when(t, now time.Time) string {
	if d := now.Sub(t); d > 20*time.Hour || d < -time.Hour {
		return t.Local().Format("01-02 15:04")
	}
	return t.Local().Format("15:04:05")
}
