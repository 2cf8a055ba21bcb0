package table

import (
	"fmt"
	"strings"

	"pushfleet/internal/pushdapi"
)

// Conn explains one connection: what it does in each window, what the socket
// says, who is to blame, and what to try.
func Conn(c *pushdapi.Conn, wide bool, st Style) []string {
	lines := Wrap(connTitle(c, wide), "  ", Columns)
	lines[0] = st.Apply(Strong, lines[0])
	lines = append(lines, connHead(c, st))
	lines = append(lines, connRates(c)...)
	if text := connDrops(c); text != "" {
		lines = append(lines, Wrap(text, "              ", Columns)...)
	}
	if c.TCP != nil {
		lines = append(lines, connTCP(c, wide)...)
	}
	if wide {
		lines = append(lines, connTotals(c)...)
	}
	return append(lines, connCause(c, st)...)
}

func connTitle(c *pushdapi.Conn, wide bool) string {
	who := Safe(or(c.User))
	if !wide {
		who = Cut(who, 40)
	}
	if len(c.Users) > 1 && !wide {
		who += fmt.Sprintf(" and %s", Plural(int64(len(c.Users)-1), "user"))
	} else if len(c.Users) > 1 {
		who = Safe(strings.Join(c.Users, ", "))
	}
	parts := []string{fmt.Sprintf("%s on %s", who, Safe(name(c.Node))),
		or(c.Proto) + " from " + or(Safe(c.Peer)), "open " + Seconds(c.AgeSeconds)}
	switch {
	case len(c.Groups) > 0 && wide:
		parts = append(parts, "groups "+Safe(strings.Join(c.Groups, " ")))
	case len(c.Groups) > 0:
		parts = append(parts, Plural(int64(len(c.Groups)), "group"))
	}
	if c.State != "" && c.State != "open" {
		parts = append(parts, Safe(c.State))
	}
	if c.LastSeenAgo >= 1 {
		parts = append(parts, "heard "+Seconds(round(c.LastSeenAgo))+" ago")
	}
	return strings.Join(parts, ", ")
}

// connText is the room right of the figures.
const connText = Columns - 8 - 5*10 - 3

func connLine(label, now, s1, s10, s100, peak, text string) string {
	line := Pad(label, 8, false) + Pad(now, 10, true) + Pad(s1, 10, true) + Pad(s10, 10, true) +
		Pad(s100, 10, true) + Pad(peak, 10, true)
	if text != "" {
		line += "   " + text
	}
	return strings.TrimRight(line, " ")
}

func connHead(c *pushdapi.Conn, st Style) string {
	id := "conn " + c.Conn
	if Width(id) > connText {
		id = c.Conn
	}
	return st.Apply(Faint, connLine("", "now", "1 s", "10 s", "100 s", "peak", Cut(id, connText)))
}

func connRates(c *pushdapi.Conn) []string {
	row := func(label, now string, w pushdapi.Windows, f func(float64) string, peak, text string) string {
		return connLine(label, now, f(w.S1), f(w.S10), f(w.S100), peak, text)
	}
	limit := orNone(c.QueueLimit > 0, "limit "+Count(c.QueueLimit))
	lines := []string{
		row("in", "", c.Rates.In, connRate, "", ""),
		row("out", "", c.Rates.Out, connRate, "", ""),
		row("bytes", "", c.Rates.Bytes, ByteRate, "", ""),
		row("queued", Count(c.Queued), c.Rates.Level, level, orNone(c.Peak > 0, level(c.Peak)), limit),
	}
	if c.Queued == 0 && c.Wait.State != "known" {
		return lines
	}
	size := part(c.Bytes, c.QueueBytesMax)
	return append(lines,
		connEstimate("wait", c.Wait, c.WaitBy, orNone(c.OldestSeconds > 0, "oldest "+Seconds(c.OldestSeconds))),
		connEstimate("drain", c.Drain, c.DrainBy, size))
}

// connRate keeps a decimal where top does, so that the two agree.
func connRate(v float64) string {
	if s := Figure(v); s != Dash {
		return s + "/s"
	}
	return Dash
}

func connEstimate(label string, now pushdapi.Estimate, by map[string]pushdapi.Estimate, text string) string {
	return connLine(label, Estimate(now), Estimate(by["1s"]), Estimate(by["10s"]), Estimate(by["100s"]), "", text)
}

// connDrops is the line on where the queue goes and what it lost.
func connDrops(c *pushdapi.Conn) string {
	var parts []string
	switch d := c.Drain; d.State {
	case "growing":
		s := "grows by " + connRate(d.Growth)
		if d.CapSeconds > 0 {
			s += ", limit in " + Seconds(round(d.CapSeconds))
		}
		parts = append(parts, s)
	case "known":
		if d.High > d.Low && d.Low > 0 {
			parts = append(parts, fmt.Sprintf("drains in %s to %s", Seconds(round(d.Low)), Seconds(round(d.High))))
		}
	case "unsure":
		parts = append(parts, "too few messages to say whether it drains")
	}
	if items := counts(c.DroppedBy, " "); len(items) > 0 {
		parts = append(parts, "dropped: "+strings.Join(items, ", "))
	} else if c.Drops > 0 {
		parts = append(parts, "dropped "+Count(c.Drops))
	}
	return strings.Join(parts, "; ")
}

func connTCP(c *pushdapi.Conn, wide bool) []string {
	t := c.TCP
	parts := []string{"rtt " + Seconds(t.RTTSeconds)}
	if r := c.TCPRecent; r != nil {
		parts = append(parts, "retransmits "+Percent(100*r.Retransmits))
	} else if t.SegmentsOut > 0 {
		parts = append(parts, "retransmits "+Percent(100*float64(t.Retransmits)/float64(t.SegmentsOut)))
	}
	parts = append(parts, "unsent "+Bytes(t.UnsentBytes))
	if r := c.TCPRecent; r != nil && r.OverSeconds > 0 {
		over := " of " + Seconds(round(r.OverSeconds))
		parts = append(parts, "receiver full "+Percent(100*r.RwndLimited)+over)
		if r.SndbufLimited > 0 {
			parts = append(parts, "send buffer full "+Percent(100*r.SndbufLimited)+over)
		}
	} else if t.BusySeconds > 0 {
		parts = append(parts, "receiver full "+Percent(100*t.RwndLimited/t.BusySeconds)+" of busy time")
	}
	if t.Probes > 0 {
		parts = append(parts, Plural(int64(t.Probes), "probe")+" unanswered")
	}
	if wide {
		parts = append(parts, Safe(t.State), "rtt var "+Seconds(t.RTTVarSeconds), "cwnd "+Count(t.CongestionWindow),
			"unacked "+Count(t.UnackedSegments)+" segments", "lost "+Count(t.Lost), "in kernel "+Bytes(t.SendBufferBytes),
			"delivery "+ByteRate(float64(t.DeliveryRateBytes)), "received "+Seconds(t.LastReceivedAgo)+" ago",
			"sent "+Seconds(t.LastSentAgo)+" ago")
	}
	parts = append(parts, orNone(c.LoopTurn > 0, "loop turn p99 "+Seconds(c.LoopTurn)))
	return flow("tcp", parts)
}

// flow writes items after a label, two spaces apart, and breaks lines between
// them.
func flow(label string, items []string) []string {
	var lines []string
	line := label
	for _, item := range items {
		switch {
		case item == "":
		case line == "":
			line = item
		case Width(line)+2+Width(item) > Columns:
			lines = append(lines, line)
			line = "     " + item
		default:
			line += "  " + item
		}
	}
	return append(lines, line)
}

func connTotals(c *pushdapi.Conn) []string {
	t := &c.Totals
	return flow("totals", []string{"offered " + Count(t.Offered), "delivered " + Count(t.Delivered),
		"out " + Bytes(t.BytesOut), "received " + Count(t.Received)})
}

func connCause(c *pushdapi.Conn, st Style) []string {
	if c.Cause.Sentence == "" {
		return nil
	}
	mark := Strong
	if c.Cause.Kind == "healthy" {
		mark = Good
	}
	lines := []string{""}
	for _, l := range Wrap(Safe(c.Cause.Sentence), "", Columns) {
		lines = append(lines, st.Apply(mark, l))
	}
	for _, e := range c.Cause.Evidence {
		// Hanging, so that each piece is seen to begin.
		for _, l := range Wrap(Safe(e), "  ", Columns-2) {
			lines = append(lines, "  "+l)
		}
	}
	return append(lines, hints(c.Cause.Try)...)
}

// hints align commands to copy: they are never cut.
func hints(try []pushdapi.Hint) []string {
	wide := 0
	for _, h := range try {
		wide = max(wide, Width(h.What))
	}
	var lines []string
	for _, h := range try {
		lines = append(lines, "  "+Pad(Safe(h.What), min(wide, 24), false)+"   "+Safe(h.Command))
	}
	return lines
}
