package table

import (
	"strings"

	"pushfleet/internal/pushdapi"
)

// Result says in one line what became of a send.
func Result(r *pushdapi.Result) string {
	var parts []string
	if r.Delivered > 0 {
		parts = append(parts, "delivered to "+Plural(int64(r.Delivered), "connection"))
	}
	if r.Kept > 0 {
		parts = append(parts, "kept for "+Plural(int64(r.Kept), "user")+" just gone")
	}
	if n := r.Absent - min(r.Absent, r.Kept); n > 0 {
		parts = append(parts, Plural(int64(n), "user")+" not connected")
	}
	if items := counts(r.Dropped, " "); len(items) > 0 {
		parts = append(parts, "dropped "+strings.Join(items, ", "))
	}
	if r.Pending > 0 {
		parts = append(parts, Count(r.Pending)+" not decided yet")
	}
	if len(parts) == 0 {
		return "delivered to nobody"
	}
	return strings.Join(parts, "; ")
}

// AddResult adds the counts of another node's answer.
func AddResult(to, from *pushdapi.Result) {
	to.Delivered += from.Delivered
	to.Absent += from.Absent
	to.Kept += from.Kept
	to.Pending += from.Pending
	if to.Dropped == nil && len(from.Dropped) > 0 {
		to.Dropped = map[string]uint64{}
	}
	addTo(to.Dropped, from.Dropped)
}

// TraceHead is the heading over trace lines.
func TraceHead(st Style) string {
	return st.Apply(Faint, traceLine("TIME", "CONN", "EVENT", "SEQ", "BYTES", "QUEUE", "ID  NOTE"))
}

// Trace is one event as a line.
func Trace(e *pushdapi.TraceEvent, wide bool, st Style) string {
	mark := Plain
	switch e.Event {
	case "drop", "lost", "stall":
		mark = Bad
	case "open", "close", "resume":
		mark = Strong
	}
	tail := strings.TrimSpace(Safe(e.ID) + "  " + Safe(e.Note))
	line := traceLine(e.At.Local().Format("15:04:05.000"), or(e.Conn), Safe(e.Event), orNone(e.Seq > 0, Count(e.Seq)),
		orNone(e.Bytes > 0, Count(e.Bytes)), orNone(e.Queue > 0, Count(e.Queue)), tail)
	if !wide {
		line = Cut(line, Columns)
	}
	return st.Apply(mark, line)
}

func traceLine(at, conn, event, seq, bytes, queue, tail string) string {
	return strings.TrimRight(Pad(at, 12, false)+"  "+Pad(conn, 9, false)+"  "+Pad(event, 7, false)+
		Pad(seq, 6, true)+Pad(bytes, 7, true)+Pad(queue, 7, true)+"   "+tail, " ")
}
