package table

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pushfleet/internal/pushdapi"
)

// Widths of the stats screen: label, now, and three windows, then free text.
const (
	statsLabel = 15
	statsNow   = 11
	statsWin   = 10
	statsText  = Columns - statsLabel - statsNow - 3*statsWin - 2
)

// Stats renders one node at a glance. wide adds totals and the loops.
func Stats(s *pushdapi.Stats, wide bool, st Style) []string {
	lines := []string{statsTitle(s, st), statsHead(st)}
	lines = append(lines, statsRates(s, wide)...)
	lines = append(lines, statsProcess(s)...)
	if wide {
		lines = append(lines, statsTotals(s)...)
	}
	return append(lines, statsLoops(s, wide, st)...)
}

func statsTitle(s *pushdapi.Stats, st Style) string {
	left := fmt.Sprintf("%s  up %s  pushd %s  knobs %s", Safe(name(s.Node)), Seconds(s.UptimeSeconds),
		Safe(s.Version), s.Knobs())
	word, mark := Health(s)
	gap := strings.Repeat(" ", max(2, Columns-Width(left)-Width(word)))
	return st.Apply(Strong, left) + gap + st.Apply(mark, word)
}

// Health is one word or two on whether the node itself is well; slow clients
// do not make it ill.
func Health(s *pushdapi.Stats) (string, Mark) {
	switch {
	case s.State != "" && s.State != "serving":
		return Safe(s.State), Warn
	case len(s.SilentLoop) > 0:
		return "loop silent", Bad
	case s.Process.FDMax > 0 && s.Process.FDs*10 > s.Process.FDMax*9:
		return "few fds left", Bad
	case s.Connections.Max > 0 && s.Connections.Total >= s.Connections.Max:
		return "full", Bad
	case s.Memory.MessageBytesMax > 0 && s.Memory.MessageBytes*10 > s.Memory.MessageBytesMax*9:
		return "message memory low", Bad
	case s.Process.SchedP99 > 0.1:
		return "short of cpu", Warn
	}
	return "healthy", Good
}

func statsHead(st Style) string {
	return st.Apply(Faint, statsLine("", "now", "1 s", "10 s", "100 s", ""))
}

func statsLine(label, now, s1, s10, s100, text string) string {
	line := Pad(label, statsLabel, false) + Pad(now, statsNow, true) +
		Pad(s1, statsWin, true) + Pad(s10, statsWin, true) + Pad(s100, statsWin, true)
	if text != "" {
		line += "  " + text
	}
	return strings.TrimRight(line, " ")
}

func windows(label, now string, w pushdapi.Windows, f func(float64) string, text string) string {
	return statsLine(label, now, f(w.S1), f(w.S10), f(w.S100), text)
}

func plus(v float64) string {
	if s := Rate(v); s != Dash {
		return "+" + s
	}
	return Dash
}

// statsTee says that a node is mirrored, or is what others are mirrored to.
func statsTee(s *pushdapi.Stats) (lines []string) {
	if t := s.Tap; t != nil && t.Active {
		lines = append(lines, join("  mirrored", []string{Count(t.Connections), Percent(t.Sample) + " of users",
			"for " + Seconds(s.At.Sub(t.Since).Seconds()), "tap " + Percent(t.CPUPercent) + " of a core",
			orNone(t.Torn > 0, Count(t.Torn)+" torn")}))
	} else if n := s.Connections.Sampled; n > 0 { // of a fleet
		lines = append(lines, join("  mirrored", []string{Count(n)}))
	}
	if s.Shadow {
		lines = append(lines, join("  shadow", []string{"takes the clients of a tee only",
			orNone(s.ShadowCut[pushdapi.CutUplink] > 0, Plural(int64(s.ShadowCut[pushdapi.CutUplink]), "uplink message")+" cut off")}))
	}
	return lines
}

// statsRates are the rows that a fleet's sum has too.
func statsRates(s *pushdapi.Stats, wide bool) []string {
	c, q := &s.Connections, &s.Queued
	protos := statsText
	if wide {
		protos = Columns
	}
	lines := []string{
		windows("connections", Count(c.Total), c.Accepted, plus, Fit(counts(c.ByProto, " "), "  ", protos)),
	}
	lines = append(lines, join("  users", []string{
		Count(s.Users), orNone(s.Groups > 0, Plural(s.Groups, "group")),
		orNone(c.Handshaking > 0, Count(c.Handshaking)+" handshaking"),
		orNone(c.Max > 0, "limit "+Plural(c.Max, "connection"))}))
	lines = append(lines, statsTee(s)...)
	lines = append(lines,
		windows("published", "", s.Published, Rate, ""),
		windows("delivered", "", s.Delivered, Rate, latency(s.Latency, wide)),
		windows("bytes out", "", s.BytesOut, ByteRate, ""),
		windows("received", "", s.Received, Rate, ""),
		windows("queued", Count(q.Messages), q.Level, level, orNone(q.OldestSeconds > 0, "oldest "+Seconds(q.OldestSeconds))),
	)
	if q.Conns > 0 {
		lines = append(lines, join("  by connection", []string{
			Count(q.Conns) + " queued", orNone(q.OverSoft > 0, Count(q.OverSoft)+" over soft limit"),
			orNone(q.OverHard > 0, Count(q.OverHard)+" at hard limit"), Bytes(q.Bytes)}))
	}
	lines = append(lines, reasons("dropped", s.Dropped, s.DroppedBy)...)
	return append(lines, reasons("closed", s.Closed, s.ClosedBy)...)
}

func level(v float64) string {
	if v == 0 {
		return Dash
	}
	if v >= 10 {
		return large(v)
	}
	return Figure(v)
}

func latency(q pushdapi.Quantiles, wide bool) string {
	if q.P99 == 0 {
		return ""
	}
	return "p50 " + Seconds(q.P50) + " p99 " + Seconds(q.P99) + orNone(wide, " p99.9 "+Seconds(q.P999)+" max "+Seconds(q.Max))
}

// reasons are a rate and, below it, what it was made of since the start.
func reasons(label string, w pushdapi.Windows, by map[string]uint64) []string {
	lines := []string{windows(label, "", w, Rate, "")}
	if items := counts(by, " "); len(items) > 0 {
		lines = append(lines, "  since start    "+Fit(items, ", ", Columns-17))
	}
	return lines
}

// counts lists names with their counts, the largest first, without zeros.
func counts[T int64 | uint64](by map[string]T, sep string) []string {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		if by[a] != by[b] {
			return int(min(1, max(-1, int64(by[b])-int64(by[a]))))
		}
		return strings.Compare(a, b)
	})
	var items []string
	for _, n := range names {
		if by[n] != 0 {
			items = append(items, Safe(n)+sep+Count(by[n]))
		}
	}
	return items
}

func statsProcess(s *pushdapi.Stats) []string {
	p, m := &s.Process, &s.Memory
	fds := orNone(p.FDs > 0, "fds "+Count(p.FDs)+orNone(p.FDMax > 0, " of "+Count(p.FDMax)))
	return slices.Concat(
		flow("cpu "+Percent(p.CPUPercent), []string{
			"gc " + orNone(p.GCHeld, "held back ") + Percent(p.GCPercent10) + orNone(p.GCPauseP99 > 0, " pause p99 "+Seconds(p.GCPauseP99)),
			orNone(p.SchedP99 > 0, "sched p99 "+Seconds(p.SchedP99)), "over 10 s"}),
		flow("memory "+Bytes(first(m.PSSBytes, m.RSSBytes)), []string{
			orNone(m.PerConnBytes > 0, Bytes(m.PerConnBytes)+"/connection"), "heap " + Bytes(m.HeapBytes),
			"slab " + Bytes(m.SlabBytes), "messages " + part(m.MessageBytes, m.MessageBytesMax)}),
		flow(fds, []string{"listen drops " + Count(p.ListenOverflows), "goroutines " + Count(p.Goroutines)}),
	)
}

func statsTotals(s *pushdapi.Stats) []string {
	t := &s.Totals
	text := strings.Join([]string{
		"accepted " + Count(t.Accepted), "published " + Count(t.Published), "absent " + Count(t.Absent),
		"kept " + Count(t.Kept), "delivered " + Count(t.Delivered), "out " + Bytes(t.BytesOut),
		"received " + Count(t.Received), "pings " + Count(t.Pings), "writes " + Count(t.Writes),
		"would wait " + Count(t.WouldWait), "uplink nowhere " + Count(t.UplinkNo),
		"cpu user " + Seconds(s.Process.CPUUserSeconds) + " sys " + Seconds(s.Process.CPUSystemSeconds) + " gc " + Percent(s.Process.GCPercent),
		"voluntary switches " + Count(s.Process.VoluntarySwitch)}, ", ")
	return append([]string{"since start"}, Block(text, "  ")...)
}

// statsLoops is one line, the worst loop named, or in the wide form a table.
func statsLoops(s *pushdapi.Stats, wide bool, st Style) []string {
	if len(s.Loops) == 0 {
		return nil
	}
	if !wide {
		worst := slices.MaxFunc(s.Loops, func(a, b pushdapi.Loop) int { return sign(a.TurnP99 - b.TurnP99) })
		inbox := int64(0)
		for _, l := range s.Loops {
			inbox += l.Inbox
		}
		return flow(Plural(int64(len(s.Loops)), "loop"), []string{
			fmt.Sprintf("turn p99 %s (loop %d)", Seconds(worst.TurnP99), worst.Loop), "inbox " + Count(inbox)})
	}
	g := Grid{Columns: []Column{{Head: "LOOP"}, {Head: "CONNS", Right: true}, {Head: "OUT/s", Right: true},
		{Head: "QUEUED", Right: true}, {Head: "INBOX", Right: true}, {Head: "TURN P99", Right: true}}}
	for _, l := range s.Loops {
		g.Rows = append(g.Rows, []Text{{S: strconv.Itoa(l.Loop)}, {S: Count(l.Conns)}, {S: Figure(l.Delivered.S10)},
			{S: Count(l.Queued)}, {S: Count(l.Inbox)}, {S: Cell(l.TurnP99)}})
	}
	return g.Lines(Columns, st)
}

// join puts a label of the left column before the items that are not empty.
func join(label string, items []string) string {
	items = slices.DeleteFunc(items, func(s string) bool { return s == "" })
	return Pad(label, statsLabel+2, false) + Fit(items, ", ", Columns-statsLabel-2)
}

// part writes a share of a whole: 2.1 of 268 MB, 12 KB of 268 MB.
func part(n, of int64) string {
	a, b := Bytes(n), Bytes(of)
	if of == 0 {
		return a
	}
	num, unit, _ := strings.Cut(a, " ")
	if strings.HasSuffix(b, " "+unit) {
		a = num
	}
	return a + " of " + b
}

func orNone(show bool, s string) string {
	if show {
		return s
	}
	return ""
}

func first(vs ...int64) int64 {
	for _, v := range vs {
		if v != 0 {
			return v
		}
	}
	return 0
}

func name(node string) string {
	if node == "" {
		return "node"
	}
	return node
}

func sign(d float64) int {
	switch {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}
