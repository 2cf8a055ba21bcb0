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

// Audits renders who did what, the oldest first.
func Audits(as []keeperapi.Audit, now time.Time, wide bool, st Style) []string {
	if len(as) == 0 {
		return []string{"nobody has done anything yet"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "REV", Right: true}, {Head: "WHEN", Right: true}, {Head: "WHO", Flex: true}, {Head: "WHAT", Flex: true}, {Head: "WHY", Flex: true}, {Head: "FROM", Wide: true}}}
	for _, a := range as {
		g.Rows = append(g.Rows, []Text{{S: Rev(a.Revision)}, {S: when(a.At.Go(), now)}, {S: Safe(or(a.Who))}, {S: Safe(a.What)}, {S: Safe(a.Why)}, {S: Safe(or(a.From))}})
	}
	return g.Lines(width, st)
}

// Tokens renders who may come in.
func Tokens(ts []keeperapi.Token, now time.Time, wide bool, st Style) []string {
	if len(ts) == 0 {
		return []string{"no token: only the keepers' own sockets let anybody in", "make one: pushctl keeper tokens add NAME --role operate"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "TOKEN", Flex: true}, {Head: "ROLE"}, {Head: "EXPIRES", Right: true}, {Head: "MADE BY", Flex: true}, {Head: "MADE", Right: true}}}
	for i := range ts {
		t := &ts[i]
		expires, mark := "never", Plain
		if t.Expires != 0 {
			if expires = "in " + remains(t.Expires, now); t.Expires.Go().Before(now) {
				expires, mark = "expired", Bad
			}
		}
		g.Rows = append(g.Rows, []Text{{S: Safe(t.Name)}, {S: string(t.Role)}, {expires, mark}, {S: Safe(or(t.Who))}, {S: ago(t.At, now)}})
	}
	return g.Lines(width, st)
}

// Limits renders what keepers remember at most.
func Limits(l *keeperapi.Limits) []string {
	line := func(name string, n int, help string) string {
		return fmt.Sprintf("%-13s %9s  %s", name, Count(n), help)
	}
	return []string{
		line("history_max", l.History, "changes remembered per knob"), line("audit_max", l.Audit, "lines of the audit"),
		line("ids_max", l.IDs, "answers remembered for repeated requests"), line("events_max", l.Events, "events kept for watchers that resume"),
		line("rollouts_max", l.Rollouts, "ended rollouts remembered"), line("nodes_max", l.Nodes, "nodes"),
		line("values_max", l.Values, "values over all scopes"), line("tokens_max", l.Tokens, "tokens"),
		fmt.Sprintf("%-13s %9s  %s", "forget", Span(time.Duration(l.ForgetMS)*time.Millisecond), "a node dead for longer is forgotten"),
		"", "change one: pushctl keeper limits set history_max 200"}
}

// EventHead is the heading over event lines.
func EventHead(st Style) string {
	return st.Apply(Faint, Pad("TIME", 12, false)+"  "+Pad("REV", 6, false)+"  WHAT")
}

// Event is one event as a line.
func Event(e *keeperapi.Event, wide bool, st Style) string {
	line := e.At.Go().Local().Format("15:04:05.000") + "  " + Pad(Rev(e.Revision), 6, false) + "  " + eventText(e) +
		orNone(e.Who != "", ", "+Safe(e.Who)) + quoted(e.Why)
	if !wide {
		line = Cut(line, Columns)
	}
	return st.Apply(eventMark(e.Kind), line)
}

func eventMark(k keeperapi.Kind) Mark {
	switch k {
	case keeperapi.KindRolloutBroke, keeperapi.KindNodeDead, keeperapi.KindNodeNacked:
		return Bad
	case keeperapi.KindExpired, keeperapi.KindRolloutAbort, keeperapi.KindRolloutExpire, keeperapi.KindFreeze:
		return Warn
	}
	return Plain
}

func eventText(e *keeperapi.Event) string {
	who := orNone(e.Node != "", Safe(e.Node)+" ")
	switch e.Kind {
	case keeperapi.KindNodeNacked:
		return who + "refused: " + Safe(e.Value)
	case keeperapi.KindNodeHealth:
		return who + "is " + Safe(e.Value)
	case keeperapi.KindFreeze, keeperapi.KindThaw:
		return KindText(e.Kind) + " " + Safe(e.Knob)
	}
	if !e.ChangesValues() {
		return KindText(e.Kind) + orNone(e.Node != "", " "+Safe(e.Node))
	}
	switch e.Kind {
	case keeperapi.KindRolloutStep:
		return Safe(e.Knob) + " " + value(e.Value) + " on " + eventScope(e) + " (step of " + Safe(e.Rollout) + ")"
	case keeperapi.KindRolloutAbort, keeperapi.KindRolloutBroke, keeperapi.KindRolloutExpire:
		return Safe(e.Knob) + " " + value(e.Old) + " taken back on " + eventScope(e) + " (" + KindText(e.Kind) + ")"
	}
	s := Safe(e.Knob) + " " + saidAt(e.Scope, e.Old) + " → " + saidAt(e.Scope, e.Value) + " on " + eventScope(e)
	if e.Kind != keeperapi.KindSet && e.Kind != keeperapi.KindUnset {
		s += " (" + KindText(e.Kind) + ")"
	}
	if e.Deadline != 0 {
		s += " for " + remains(e.Deadline, e.At.Go())
	}
	return s
}

// eventScope names the nodes that an event concerns.
func eventScope(e *keeperapi.Event) string {
	if len(e.Nodes) == 0 {
		return ScopeName(e.Scope)
	}
	return Fit(safes(e.Nodes), " ", 24)
}
