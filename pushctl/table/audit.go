package table

import (
	"fmt"
	"time"

	"pushfleet/internal/keeperapi"
)

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
