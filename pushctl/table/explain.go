package table

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// Explain says why a node holds what it holds.
func Explain(e *keeperapi.Explain, now time.Time, st Style) []string {
	from := "from the default of " + Safe(e.Node)
	if v := winner(e); v != nil {
		from = ValueFrom(&keeperapi.ScopedValue{Scope: v.Scope, Value: v.Value}, now)
	}
	lines := side(Quantity(e.Decl, e.Value), from, st)
	lines = append(lines, layerLines(e)...)
	if e.Decl == nil {
		lines = append(lines, Block(Safe(e.Node)+" does not declare it: its build is older or newer, the value does nothing there", "  ")...)
	} else {
		lines = append(lines, Block(fmt.Sprintf("range %s%s, %s, risk %s; %s", declRange(e.Decl),
			orNone(e.Decl.Unit != "" && e.Decl.Type == "int", " "+e.Decl.Unit), Acts(e.Decl.Acts), or(e.Decl.Risk), lowerFirst(Safe(e.Decl.Help))), "  ")...)
	}
	if e.Frozen != nil {
		lines = append(lines, Block(freezeLine(e.Frozen, now), "  ")...)
	}
	return lines
}

func winner(e *keeperapi.Explain) *keeperapi.LayerValue {
	for i := range e.Layers {
		if e.Layers[i].Wins {
			return &e.Layers[i]
		}
	}
	return nil
}

// layerLines are every layer's say, the strongest first, on one line if they
// fit.
func layerLines(e *keeperapi.Explain) []string {
	say := map[keeperapi.Layer][]string{}
	for _, l := range slices.Backward(e.Layers) {
		text := value(l.Value.Value)
		if l.Layer == keeperapi.LayerGroup {
			text += " (" + Safe(string(l.Scope)) + ")"
		}
		say[l.Layer] = append(say[l.Layer], text)
	}
	def := Dash
	if e.Decl != nil {
		def = value(e.Decl.Default)
	}
	say[keeperapi.LayerDefault] = []string{def}
	lines := []string{""}
	for _, l := range []keeperapi.Layer{keeperapi.LayerCanary, keeperapi.LayerNode, keeperapi.LayerGroup, keeperapi.LayerFleet, keeperapi.LayerDefault} {
		item := string(l) + "  " + or(strings.Join(say[l], ", "))
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = "  " + item
		case Width(*last)+3+Width(item) > Columns:
			lines = append(lines, Block(item, "  ")...)
		default:
			*last += "   " + item
		}
	}
	return lines
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// SetRow is a value that somebody set.
type SetRow struct {
	Knob    string          `json:"knob"`
	Scope   keeperapi.Scope `json:"scope"`
	Value   string          `json:"value"`
	Default string          `json:"default"`
	Who     string          `json:"who"`
	At      keeperapi.Time  `json:"at_ms"`
	Why     string          `json:"why"`
	Until   keeperapi.Time  `json:"deadline_ms"`
}

// Sets renders what differs from the defaults.
func Sets(rows []SetRow, now time.Time, wide bool, st Style) []string {
	if len(rows) == 0 {
		return []string{"every knob is at its default on every node"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "KNOB"}, {Head: "SCOPE", Flex: true}, {Head: "VALUE", Right: true}, {Head: "DEFAULT", Right: true},
		{Head: "SINCE", Right: true}, {Head: "WHO", Flex: true}, {Head: "WHY", Flex: true}}}
	for _, r := range rows {
		why := Safe(r.Why)
		if r.Until != 0 {
			why = strings.TrimSuffix("for "+remains(r.Until, now)+" more; "+why, "; ")
		}
		g.Rows = append(g.Rows, []Text{{S: Safe(r.Knob)}, {S: ScopeName(r.Scope)}, {value(r.Value), Warn}, {S: value(r.Default)},
			{S: when(r.At.Go(), now)}, {S: Safe(or(r.Who))}, {S: why}})
	}
	return g.Lines(width, st)
}

// NodeValue is a knob that a node holds otherwise than another, or than by
// default.
type NodeValue struct {
	Knob  string          `json:"knob"`
	A     string          `json:"a"`
	FromA keeperapi.Scope `json:"from_a"`
	B     string          `json:"b"`
	FromB keeperapi.Scope `json:"from_b"`
}

// NodeValues renders what two nodes hold differently; b is "" to compare with
// the defaults.
func NodeValues(rows []NodeValue, a, b string, wide bool, st Style) []string {
	other := b
	if b == "" {
		other = "default"
	}
	if len(rows) == 0 {
		return []string{Safe(a) + " and " + orNone(b == "", "the ") + Safe(other) + orNone(b == "", "s") + " do not differ"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "KNOB"}, {Head: strings.ToUpper(Safe(a)), Right: true}, {Head: "FROM", Flex: true},
		{Head: strings.ToUpper(Safe(other)), Right: true}}}
	if b != "" {
		g.Columns = append(g.Columns, Column{Head: "FROM", Flex: true})
	}
	for _, r := range rows {
		row := []Text{{S: Safe(r.Knob)}, {value(r.A), Warn}, {S: heldFrom(r.FromA)}, {S: value(r.B)}}
		if b != "" {
			row = append(row, Text{S: heldFrom(r.FromB)})
		}
		g.Rows = append(g.Rows, row)
	}
	return g.Lines(width, st)
}

// Drifts renders what nodes hold otherwise than they should.
func Drifts(ds []keeperapi.Drift, wide bool, st Style) []string {
	if len(ds) == 0 {
		return []string{"no drift: every node that is alive holds what it should"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "NODE", Flex: true}, {Head: "KNOB"}, {Head: "SHOULD", Right: true}, {Head: "HAS", Right: true}, {Head: "BECAUSE", Flex: true}}}
	local := false
	for _, d := range ds {
		local = local || d.Reason == keeperapi.DriftLocal
		g.Rows = append(g.Rows, []Text{{S: Safe(d.Node)}, {S: Safe(d.Knob)}, {S: heldText(d.Want)}, {heldText(d.Have), Warn}, {S: driftText(d.Reason)}})
	}
	lines := append(g.Lines(width, st), "")
	if local {
		lines = append(lines, "Set the knob again, on that node or the fleet, to end what was set locally.")
	}
	return append(lines, "why a node holds it: pushctl knob explain NAME --node NODE")
}

// driftText is a reason of drift in words.
func driftText(reason string) string {
	switch reason {
	case keeperapi.DriftGuard:
		return "its guard broke, the node went back"
	case keeperapi.DriftLocal:
		return "somebody set it on the node itself"
	case keeperapi.DriftNacked:
		return "the node refused the value"
	case keeperapi.DriftBehind:
		return "the node has not applied it yet"
	case keeperapi.DriftRestart:
		return "it acts after a restart of the node"
	case keeperapi.DriftCrash:
		return "the node died after applying it"
	case keeperapi.DriftSilent:
		return "no keeper answered the node for too long"
	}
	return or(Safe(reason))
}
