package table

import (
	"pushfleet/internal/keeperapi"
)

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
