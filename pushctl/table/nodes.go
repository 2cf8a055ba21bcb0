package table

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// Nodes renders the nodes of a fleet, the worst first.
func Nodes(ns []keeperapi.NodeInfo, now time.Time, wide bool, st Style) []string {
	if len(ns) == 0 {
		return []string{"no node has joined: start pushd with --keeper ADDR"}
	}
	sorted := slices.Clone(ns)
	slices.SortStableFunc(sorted, func(a, b keeperapi.NodeInfo) int { return rankNode(&b) - rankNode(&a) })
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "NODE", Flex: true}, {Head: "STATE"}, {Head: "VERSION", Flex: true}, {Head: "KNOBS", Flex: true}, {Head: "CONNS", Right: true},
		{Head: "PUBLISHED", Right: true}, {Head: "QUEUED", Right: true}, {Head: "DROPS", Right: true}, {Head: "CPU", Right: true},
		{Head: "LABELS", Wide: true}, {Head: "ADDRESS", Wide: true}, {Head: "SCHEMA", Wide: true}, {Head: "JOINED", Wide: true}}}
	for i := range sorted {
		g.Rows = append(g.Rows, nodeCells(&sorted[i], now))
	}
	return append(g.Lines(width, st), nodesFoot(sorted)...)
}

// rankNode orders nodes by how much somebody should look at them.
func rankNode(n *keeperapi.NodeInfo) int {
	switch {
	case n.DeadForMS > 0:
		return 3
	case n.Knobs.Nacked > n.Knobs.Applied:
		return 2
	case !n.Current:
		return 1
	}
	return 0
}

func nodeCells(n *keeperapi.NodeInfo, now time.Time) []Text {
	load := func(name string, f func(float64) string) Text {
		if v, ok := n.Load[name]; ok && n.DeadForMS == 0 {
			return Text{S: f(v)}
		}
		return Text{S: Dash}
	}
	state, mark := NodeState(n)
	knobs, knobMark := nodeKnobs(n)
	return []Text{{S: Safe(n.ID)}, {state, mark}, {S: Safe(or(n.Version))}, {knobs, knobMark},
		load("conns", func(v float64) string { return Count(int64(v)) }), load("published.10s", Rate), load("queued", level),
		load("drops.10s", Rate), load("cpu", Percent), {S: labels(n.Labels)}, {S: Safe(or(n.Address))},
		{S: Safe(or(n.Schema[:min(8, len(n.Schema))]))}, {S: ago(n.Joined, now)}}
}

// NodeState says whether a node is alive, or for how long it has been dead.
func NodeState(n *keeperapi.NodeInfo) (string, Mark) {
	switch {
	case n.DeadForMS > 0:
		return "dead " + Cell(round(float64(n.DeadForMS)/1000)), Bad
	case n.Health != "" && n.Health != "serving":
		return Safe(n.Health), Warn
	}
	return "alive", Good
}

// nodeKnobs says how far a node is with the knobs.
func nodeKnobs(n *keeperapi.NodeInfo) (string, Mark) {
	if n.Knobs.Applied == 0 && n.Current { // nothing has been set yet
		return "current", Plain
	}
	at := Rev(n.Knobs.Applied)
	switch {
	case n.DeadForMS > 0:
		return at, Plain
	case n.Knobs.Nacked > n.Knobs.Applied:
		return at + ", refused " + Rev(n.Knobs.Nacked), Bad
	case len(n.Drift) > 0:
		return at + ", " + Count(len(n.Drift)) + " differ", Warn
	case !n.Current:
		return at + ", behind", Warn
	}
	return at + " current", Plain
}

func labels(m map[string]string) string {
	var items []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		items = append(items, Safe(k+"="+m[k]))
	}
	return or(strings.Join(items, " "))
}

// nodesFoot counts, and says what to do next.
func nodesFoot(ns []keeperapi.NodeInfo) []string {
	dead, current := 0, 0
	var lines []string
	for i := range ns {
		n := &ns[i]
		switch {
		case n.DeadForMS > 0:
			dead++
		case n.Current:
			current++
		}
		if n.DeadForMS == 0 && n.Knobs.Nacked > n.Knobs.Applied && len(lines) < 3 {
			lines = append(lines, Block(Safe(n.ID)+" refused "+Rev(n.Knobs.Nacked)+": "+Safe(or(n.Knobs.Reason)), "")...)
		}
	}
	alive := len(ns) - dead
	s := Plural(int64(len(ns)), "node") + ", " + Count(alive) + " alive, " + Count(current) + " with the current knobs"
	foot := append([]string{"", s + orNone(dead > 0, ", "+Count(dead)+" dead")}, lines...)
	if current < alive {
		foot = append(foot, "what differs: pushctl knob drift")
	}
	if dead > 0 {
		foot = append(foot, "a node that will not come back: pushctl nodes forget NAME")
	}
	return foot
}

// Node explains one node.
func Node(n *keeperapi.NodeInfo, now time.Time, st Style) []string {
	state, _ := NodeState(n)
	if n.DeadForMS > 0 {
		state = "dead for " + Seconds(round(float64(n.DeadForMS)/1000))
	}
	knobs, _ := nodeKnobs(n)
	lines := side(Safe(n.ID), state+"  pushd "+Cut(Safe(or(n.Version)), 30)+"  knobs "+knobs, st)
	add := func(word, text string) { lines = append(lines, hang("  "+word, text, 13)...) }
	add("address", Safe(or(n.Address)))
	add("labels", labels(n.Labels))
	add("joined", ago(n.Joined, now)+", last seen "+ago(n.Seen, now))
	add("schema", Safe(or(n.Schema)))
	var items []string
	for _, k := range slices.Sorted(maps.Keys(n.Load)) {
		items = append(items, fmt.Sprintf("%s %s", Safe(k), Figure(n.Load[k])))
	}
	add("load", or(strings.Join(items, ", ")))
	if n.Knobs.Nacked > n.Knobs.Applied {
		lines = append(lines, Block("refused "+Rev(n.Knobs.Nacked)+": "+Safe(or(n.Knobs.Reason)), "  ")...)
	}
	if len(n.Drift) > 0 {
		lines = append(append(lines, ""), Drifts(n.Drift, false, st)...)
	}
	return lines
}
