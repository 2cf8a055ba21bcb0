package table

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// TopRow is a row of top with the node it is on.
type TopRow struct {
	Node string `json:"node"`
	pushdapi.ConnRow
}

// TopView is top over one node or several.
type TopView struct {
	Nodes       []string
	At          time.Time
	By          string
	Window      int // seconds
	Connections int64
	WithQueue   int64
	Rows        []TopRow
}

// Columns to sort by, in the order the live view cycles through them.
var topKeys = []string{"wait", "queued", "bytes", "drain", "in", "out", "drops", "rtt"}

// TopKeys lists the columns to sort by.
func TopKeys() []string { return slices.Clone(topKeys) }

// Merge puts the answers of several nodes into one, the n worst rows first.
func Merge(tops []*pushdapi.Top, n int) *TopView {
	v := &TopView{}
	for _, t := range tops {
		v.Nodes = append(v.Nodes, name(t.Node))
		v.By, v.Window = t.By, t.Window
		v.Connections += t.Connections
		v.WithQueue += t.WithQueue
		if t.At.After(v.At) {
			v.At = t.At
		}
		for _, r := range t.Rows {
			v.Rows = append(v.Rows, TopRow{t.Node, r})
		}
	}
	if len(tops) > 1 {
		slices.SortStableFunc(v.Rows, func(a, b TopRow) int {
			return cmp.Compare(worth(&b.ConnRow, v.By), worth(&a.ConnRow, v.By))
		})
	}
	if n > 0 && len(v.Rows) > n {
		v.Rows = v.Rows[:n]
	}
	return v
}

// ConnID names a connection where several nodes are in sight, which number
// their connections alike.
func ConnID(node, conn string) string { return name(node) + "/" + conn }

// ID is how a row's connection is named on a command line.
func (v *TopView) ID(r *TopRow) string {
	if len(v.Nodes) > 1 {
		return ConnID(r.Node, r.Conn)
	}
	return r.Conn
}

// worth orders rows by a column, the larger the worse.
func worth(r *pushdapi.ConnRow, by string) float64 {
	switch by {
	case "bytes":
		return float64(r.Bytes)
	case "wait":
		return timeWorth(r.Wait, r.Queued)
	case "drain":
		return timeWorth(r.Drain, r.Queued)
	case "in":
		return r.In
	case "out":
		return r.Out
	case "drops":
		return float64(r.Drops)
	case "rtt":
		return r.RTTSeconds
	}
	return float64(r.Queued)
}

// timeWorth puts what grows first, the nearest to its limit at the top, then
// known times, then what is unsure by its queue, then nothing. Nodes rank alike.
func timeWorth(e pushdapi.Estimate, queued int64) float64 {
	switch e.State {
	case "growing":
		return math.MaxFloat64 / (1 + e.CapSeconds)
	case "known":
		return 1 + e.Seconds
	case "unsure":
		return 1 - 1/(2+float64(queued))
	}
	return 0
}

// Estimate writes a time that was estimated: 1m44s, never, unsure, or a dash.
func Estimate(e pushdapi.Estimate) string {
	switch e.State {
	case "known":
		return Cell(e.Seconds)
	case "growing":
		return "never"
	case "unsure":
		return "unsure"
	}
	return Dash
}

func estimateMark(e pushdapi.Estimate) Mark {
	switch {
	case e.State == "growing":
		return Bad
	case e.State == "known" && e.Seconds >= 5:
		return Warn
	case e.State == "unsure" || e.State == "none" || e.State == "":
		return Faint
	}
	return Plain
}

// TopTitle is the line above the table.
func TopTitle(v *TopView) string {
	who := "no node"
	switch len(v.Nodes) {
	case 0:
	case 1:
		who = Safe(v.Nodes[0])
	default:
		who = Plural(int64(len(v.Nodes)), "node")
	}
	left := fmt.Sprintf("%s  %s, %s queued, by %s", who, Plural(v.Connections, "connection"), Count(v.WithQueue), v.By)
	clock := ""
	if !v.At.IsZero() {
		clock = Clock(v.At)
	}
	window := fmt.Sprintf(", window %d s", v.Window)
	if Width(left)+Width(window)+2+Width(clock) <= Columns {
		left += window
	}
	return strings.TrimRight(Sides(left, clock), " ")
}

// Clock is a time of day in the local zone, to a tenth of a second.
func Clock(t time.Time) string { return t.Local().Format("15:04:05.0") }

// TopGrid is the table of top; the marks add no meaning. A live view gives
// minimum widths to keep columns where they are.
func TopGrid(v *TopView, mins []int) *Grid {
	g := &Grid{Columns: []Column{
		{Head: "NODE", Wide: true}, {Head: "CONN", Min: 9}, {Head: "USER", Min: 9, Flex: true}, {Head: "PROTO", Spare: v.By == "bytes"},
		{Head: "AGE", Right: true, Wide: true}, {Head: "QUEUED", Right: true}, {Head: "BYTES", Right: true, Min: 6, Spare: v.By != "bytes"},
		{Head: "PEAK", Right: true, Wide: true}, {Head: "IN/s", Right: true, Min: 5}, {Head: "OUT/s", Right: true, Min: 5},
		{Head: "OUT B/s", Right: true, Wide: true}, {Head: "WAIT", Right: true, Min: 6}, {Head: "DRAIN", Right: true, Min: 6},
		{Head: "LIMIT IN", Right: true, Wide: true}, {Head: "DROPS", Right: true}, {Head: "RTT", Right: true, Wide: true}}}
	// Sorted by a time or size that the narrow form has no room for, its column
	// takes the place of BYTES.
	if v.By == "rtt" {
		g.Columns[6].Wide, g.Columns[15].Wide = true, false
	}
	sorted := map[string]int{"queued": 5, "bytes": 6, "in": 8, "out": 9, "wait": 11, "drain": 12, "drops": 14, "rtt": 15}
	if i, ok := sorted[v.By]; ok {
		g.Columns[i].Mark = Strong
	}
	for i := range mins {
		g.Columns[i].Min = max(g.Columns[i].Min, mins[i])
	}
	for i := range v.Rows {
		g.Rows = append(g.Rows, topCells(&v.Rows[i], v.ID(&v.Rows[i])))
	}
	return g
}

func topCells(r *TopRow, id string) []Text {
	return []Text{
		{S: Safe(name(r.Node))}, {S: Safe(id)}, {S: Safe(or(r.User))}, {S: r.Proto},
		{S: Cell(r.AgeSeconds)}, {S: countCell(r.Queued)}, {S: bytesCell(r.Bytes)},
		{S: level(r.Peak)}, {S: Figure(r.In)}, {S: Figure(r.Out)},
		{S: ByteRate(r.BytesOut)}, {Estimate(r.Wait), estimateMark(r.Wait)}, {Estimate(r.Drain), estimateMark(r.Drain)},
		{S: limitIn(r.Drain)}, dropCell(r.Drops), {S: rttCell(r.RTTSeconds)}}
}

func limitIn(e pushdapi.Estimate) string {
	if e.State != "growing" {
		return Dash
	}
	return Cell(e.CapSeconds)
}

func dropCell(n uint64) Text {
	if n == 0 {
		return Text{S: Dash, Mark: Faint}
	}
	return Text{S: large(float64(n)), Mark: Warn}
}

func rttCell(s float64) string {
	if s == 0 {
		return Dash
	}
	return Cell(s)
}

func countCell(n int64) string {
	if n == 0 {
		return Dash
	}
	return large(float64(n))
}

func bytesCell(n int64) string {
	if n == 0 {
		return Dash
	}
	return Bytes(n)
}

func or(s string) string {
	if s == "" {
		return Dash
	}
	return s
}

// Top renders the whole screen of a single look.
func Top(v *TopView, wide bool, st Style) []string {
	width := Columns
	if wide {
		width = 0
	}
	lines := []string{st.Apply(Strong, TopTitle(v))}
	if len(v.Rows) == 0 {
		return append(lines, NoRows(v))
	}
	lines = append(lines, TopGrid(v, nil).Lines(width, st)...)
	if next := topNext(v); next != "" {
		lines = append(append(lines, ""), Next(next)...)
	}
	return lines
}

// NoRows says why there is nothing to show.
func NoRows(v *TopView) string {
	switch {
	case v.Connections == 0:
		return "no connections"
	case v.WithQueue == 0 && slices.Contains([]string{"queued", "bytes", "wait", "drain"}, v.By):
		return "nothing is queued. The busiest: pushctl top --by out"
	}
	if v.By == "drops" || v.By == "rtt" {
		return "no connection matches, or none has " + v.By + " to tell"
	}
	return "no connection matches"
}

// topNext points at the worst row when there is something wrong with it.
func topNext(v *TopView) string {
	r := &v.Rows[0]
	var what []string
	if d := r.Drain; d.State == "growing" {
		w := "grows by " + Rate(d.Growth)
		if d.CapSeconds > 0 && d.CapSeconds < 3600 {
			w += ", limit in " + Seconds(round(d.CapSeconds))
		}
		what = append(what, w)
	}
	if r.Wait.State == "known" && r.Wait.Seconds >= 5 && len(what) == 0 {
		what = append(what, "waits "+Seconds(r.Wait.Seconds))
	}
	if r.Drops > 0 {
		what = append(what, "dropped "+Count(r.Drops))
	}
	if len(what) == 0 {
		return ""
	}
	id := Safe(v.ID(r))
	return fmt.Sprintf("%s %s: pushctl conn %s", id, strings.Join(what, ", "), id)
}
