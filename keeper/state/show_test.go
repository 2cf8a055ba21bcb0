package state

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pushfleet/internal/keeperapi"
)

// show prints what a story asks to see.
func (st *story) show(what string, args []string) (out []string) {
	say := func(format string, a ...any) { out = append(out, strings.TrimRight(fmt.Sprintf(format, a...), " ")) }
	switch what {
	case "events":
		events, ok := st.s.Since(st.seen)
		if !ok {
			say("forgotten: start from a whole state")
		}
		for _, e := range events {
			say("%s", eventLine(e))
		}
		st.seen = st.s.Revision()
	case "since":
		events, ok := st.s.Since(*st.rev(args[0]))
		say("%d events, ok %t", len(events), ok)
	case "explain":
		out = st.explain(args[0], args[1])
	case "effective":
		e := st.s.Effective(args[0])
		say("at r%d, stream at r%d", e.Revision, e.Position)
		for _, knob := range slices.Sorted(maps.Keys(e.Knobs)) {
			say("%s", heldLine(knob, e.Knobs[knob]))
		}
	case "history":
		changes, last, floor := st.s.History(args[0])
		say("last r%d, forgotten up to r%d", last, floor)
		for _, c := range changes {
			say("r%d %s %s: %s → %s  %s", c.Revision, c.Kind, c.Scope, orDash(text(c.Old)), orDash(text(c.New)), byline(c.Who, c.Why))
		}
	case "nodes":
		for _, n := range st.s.Nodes() {
			out = append(out, st.nodeLine(n))
		}
	case "audit":
		for _, a := range st.s.Audit(0) {
			say("r%d %s %s from %s: %s  %q", a.Revision, clock(a.At), a.Who, a.From, a.What, a.Why)
		}
	case "rollouts":
		for _, r := range st.s.Rollouts() {
			say("%s %s step %d of %s, %d of %d nodes, all %t  %s", r.ID, r.Phase, r.Step, strings.Join(r.Steps, ","), len(r.Nodes), r.Of, r.All, r.EndWhy)
		}
	case "freezes":
		for _, f := range st.s.Freezes() {
			say("%s by %s: %s", f.Knob, f.Who, f.Why)
		}
	case "tokens":
		for _, t := range st.s.Tokens() {
			say("%s %s made by %s, until %s", t.Name, t.Role, t.Who, clock(t.Expires))
		}
	case "next":
		say("%s", clock(st.s.NextDeadline()))
	case "restart": // a member is restored from its own snapshot
		before := snapshot(st.t, st.s)
		if err := st.s.Restore([]byte(before)); err != nil {
			st.t.Fatal(err)
		}
		say("same bytes %t", before == snapshot(st.t, st.s))
	default:
		st.t.Fatalf("the story says %q", what)
	}
	return out
}

func (st *story) explain(id, knob string) (out []string) {
	x, ok := st.s.Explain(id, knob)
	if !ok {
		return []string{"no such node"}
	}
	out = append(out, fmt.Sprintf("%s  from %s %s", x.Value, x.Winner, x.Scope))
	for _, l := range x.Layers {
		mark := " "
		if l.Wins {
			mark = "*"
		}
		line := fmt.Sprintf("%s %s %s  r%d %s", mark, l.Scope, l.Value.Value, l.Revision, byline(l.Who, l.Why))
		if l.Deadline != 0 {
			line += fmt.Sprintf("  until %s, then %s", clock(l.Deadline), orDash(text(l.Before)))
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	if x.Frozen != nil {
		out = append(out, fmt.Sprintf("frozen by %s: %s", x.Frozen.Who, x.Frozen.Why))
	}
	return out
}

func (st *story) nodeLine(n keeperapi.Node) string {
	line := fmt.Sprintf("%s %s applied r%d", n.ID, strconv.Quote(n.Health), n.Knobs.Applied)
	if n.Knobs.Nacked != 0 {
		line += fmt.Sprintf(" nacked r%d %q", n.Knobs.Nacked, n.Knobs.Reason)
	}
	if age := n.DeadFor(st.now); age >= 0 {
		line += fmt.Sprintf(" dead for %d s, noticed %t", age/1000, n.Dead)
	}
	return line
}

func eventLine(e keeperapi.Event) string {
	line := fmt.Sprintf("r%d %s", e.Revision, e.Kind)
	for _, w := range []string{e.Node, e.Knob, string(e.Scope), e.Rollout} {
		if w != "" {
			line += " " + w
		}
	}
	if e.Old != "" || e.Value != "" {
		line += fmt.Sprintf(": %s → %s", orDash(e.Old), orDash(e.Value))
	}
	if e.Deadline != 0 {
		line += " until " + clock(e.Deadline)
	}
	if len(e.Nodes) > 0 {
		line += " on " + strings.Join(e.Nodes, " ")
	}
	if e.All {
		line += " on all"
	}
	return line
}

func heldLine(knob string, h keeperapi.Held) string {
	line := fmt.Sprintf("%s %s  %s r%d", knob, h.Value, h.Scope, h.Revision)
	if h.Guard != "" {
		line += fmt.Sprintf("  guard %q", h.Guard)
	}
	if h.Deadline != 0 {
		line += "  until " + clock(h.Deadline)
	}
	line += thenLine(h.Then)
	if h.Else != nil {
		line += "  else" + strings.TrimPrefix(thenLine(append([]keeperapi.Later{*h.Else}, h.ElseThen...)), ", then")
	}
	return line
}

func thenLine(list []keeperapi.Later) (line string) {
	for _, l := range list {
		line += fmt.Sprintf(", then %s (%s)", orDash(l.Value), l.Layer)
		if l.Deadline != 0 {
			line += " until " + clock(l.Deadline)
		}
	}
	return line
}

func byline(who, why string) string {
	if why == "" {
		return who
	}
	return fmt.Sprintf("%s %q", who, why)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
