package table

import (
	"fmt"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// KeeperStatus renders the keepers and what they know.
func KeeperStatus(s *keeperapi.Status, wide bool, st Style) []string {
	left := Cut(orName(s.Cluster, "cluster"), 40) + "  " + Rev(s.Revision)
	right, mark := health(s)
	head := Sides(left, right)
	lines := []string{st.Apply(Strong, left) + head[len(left):len(head)-len(right)] + st.Apply(mark, right)}
	width := Columns
	if wide {
		width = 0
	}
	now := s.NowMS.Go()
	g := &Grid{Columns: []Column{{Head: "KEEPER", Flex: true}, {Head: "ROLE"}, {Head: "ADDRESS", Flex: true}, {Head: "STATE"}, {Head: "SINCE", Right: true},
		{Head: "BEHIND", Right: true}, {Head: "NOTE", Flex: true}}}
	for i := range s.Members {
		g.Rows = append(g.Rows, memberCells(&s.Members[i], s, now))
	}
	lines = append(lines, g.Lines(width, st)...)
	n := &s.Nodes
	lines = append(lines, "", fmt.Sprintf("nodes     %s, %s alive, %s current, %s behind, %s refused", Count(n.Total), Count(n.Alive), Count(n.Current), Count(n.Behind), Count(n.Nacked)))
	self := fmt.Sprintf("%s, up %s, %s, %s, log %s at %s, term %s", Safe(or(s.Version)), Span(time.Duration(s.UptimeMS)*time.Millisecond),
		Plural(int64(s.Sessions), "session"), Plural(int64(s.Watchers), "watcher"), or(s.LogKind), Count(s.LogIndex), Count(s.Term))
	lines = append(lines, hang(Safe(s.ID), self, 10)...)
	if wide {
		lines = append(lines, fmt.Sprintf("%s  committed %s, snapshot at %s, values at %s, leader's API %s", Pad("", 8, false), Count(s.Committed),
			countCell(int64(s.SnapshotIndex)), Rev(s.ValuesRevision), or(Safe(s.LeaderAPI))))
	}
	return append(lines, keeperAdvice(s)...)
}

// hang wraps text behind a label of at most width columns.
func hang(label, text string, width int) []string {
	lines := Block(text, strings.Repeat(" ", width))
	if len(lines) == 0 {
		return []string{label}
	}
	lines[0] = Pad(Cut(label, width-1), width, false) + lines[0][width:]
	return lines
}

func orName(s, none string) string {
	if s == "" {
		return none
	}
	return Safe(s)
}

func health(s *keeperapi.Status) (string, Mark) {
	switch down := silent(s); {
	case s.LeaderID == "":
		return "no leader", Bad
	case down > 0:
		return Plural(int64(down), "keeper") + " silent", Bad
	}
	return "healthy", Good
}

// silent counts members that the leader knows not to be well.
func silent(s *keeperapi.Status) (n int) {
	for i := range s.Members {
		if m := &s.Members[i]; m.Known && !m.OK {
			n++
		}
	}
	return n
}

func memberCells(m *keeperapi.Member, s *keeperapi.Status, now time.Time) []Text {
	role := "member"
	switch {
	case m.Leader:
		role = "leader"
	case !m.Voter:
		role = "joining" // has no vote until it has caught up
	}
	state, mark := Dash, Plain
	if m.Known {
		state, mark = "well", Good
		if !m.OK {
			state, mark = "silent", Bad
		}
	}
	since, lag := Dash, Dash
	if m.SinceMS != 0 {
		since = Cell(max(0, round(now.Sub(m.SinceMS.Go()).Seconds())))
	}
	if m.Known && !m.Leader {
		lag = Count(m.Lag)
	}
	note := Safe(m.Reason)
	if m.ID == s.ID {
		note = "answered" + orNone(s.Embedded, ", inside pushd") + orNone(note != "", "; "+note)
	}
	return []Text{{S: Safe(m.ID)}, {S: role}, {S: Safe(m.Address)}, {state, mark}, {S: since}, {S: lag}, {S: note}}
}

// keeperAdvice says what to do next when something is wrong.
func keeperAdvice(s *keeperapi.Status) []string {
	voters, down := 0, 0
	for i := range s.Members {
		if m := &s.Members[i]; m.Voter {
			voters++
			if m.Known && !m.OK {
				down++
			}
		}
	}
	spare := (voters-1)/2 - down
	switch {
	case s.LeaderID == "":
		return []string{"", "Nobody leads: nodes keep their knobs, nobody can turn them. Start the missing",
			"keepers; if their disks are lost, see pushctl keeper recover."}
	case down > 0 && spare <= 0:
		return []string{"", "One more lost and nobody can turn knobs: bring the silent keeper back, or",
			"pushctl keeper remove ID and let another join (pushctl keeper join)."}
	case s.Nodes.Nacked+s.Nodes.Behind > 0:
		return []string{"", "which nodes, and why: pushctl nodes"}
	}
	return nil
}
