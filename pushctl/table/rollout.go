package table

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// Step is what one step of a rollout came to, as far as somebody watched it.
type Step struct {
	Nodes   []string
	Took    time.Duration // of soaking so far
	Figures string        // of the guard, of the node that does worst
	State   string        // ok, broke, "3 of 5 applied", or "" while it soaks
	Known   bool          // it was watched: else only its nodes are known
}

// RolloutSteps renders the steps taken so far, one line each.
func RolloutSteps(r *keeperapi.Rollout, steps []Step, wide bool, st Style) []string {
	var lines []string
	for i := range steps[:min(len(steps), len(r.Steps))] {
		lines = append(lines, stepLine(r, r.Steps[i], &steps[i], wide, st))
	}
	return lines
}

const barWidth = 20

func stepLine(r *keeperapi.Rollout, step string, s *Step, wide bool, st Style) string {
	soak := time.Duration(r.SoakMS) * time.Millisecond
	took := Dash
	if s.Known {
		took = Cell(s.Took.Truncate(time.Second).Seconds())
	}
	line := Pad(stepName(step), labelWidth, false) + Pad(stepNodes(r, step, s), 11, false) +
		bar(s.Took, soak, s.State) + " " + Pad(took, 5, false)
	tail := strings.TrimRight("   "+Pad(Safe(s.Figures), 0, false), " ")
	state := orNone(s.State != "", "  "+s.State)
	if !wide {
		tail = Cut(tail, max(1, Columns-Width(line)-Width(state)))
	}
	mark := Plain
	switch s.State {
	case "ok":
		mark = Good
	case "broke":
		mark = Bad
	}
	return strings.TrimRight(line+tail+orNone(state != "", "  "+st.Apply(mark, s.State)), " ")
}

// bar fills with the share of the soak time that is over.
func bar(took, soak time.Duration, state string) string {
	n := barWidth
	if state != "ok" && soak > 0 {
		n = int(min(barWidth, int64(barWidth)*int64(took)/int64(soak)))
	}
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}

// stepName is a step in words: 1 node, 5 %, all.
func stepName(step string) string {
	if share, ok := strings.CutSuffix(step, "%"); ok {
		return Safe(share) + " %"
	}
	if n, err := strconv.Atoi(step); err == nil {
		return Plural(int64(n), "node")
	}
	return Safe(step)
}

// StepSize is how many of a number of nodes a step reaches in all: a share is
// rounded down, but never to nobody.
func StepSize(step string, of int) int {
	if step == "all" {
		return of
	}
	if share, ok := strings.CutSuffix(step, "%"); ok {
		v, err := strconv.ParseFloat(share, 64)
		if err != nil {
			return 0
		}
		return min(of, max(1, int(float64(of)*v/100)))
	}
	n, err := strconv.Atoi(step)
	if err != nil {
		return 0
	}
	return min(of, n)
}

// RolloutTerms says what was asked beside the values.
func RolloutTerms(id string, r *keeperapi.RolloutStart, now time.Time) string {
	s := "plan " + Safe(strings.Join(r.Steps, ",")) + ", soak " + Span(time.Duration(r.SoakMS)*time.Millisecond)
	if id != "" {
		s = "rollout " + Safe(id) + ", " + s
	}
	if more := Terms(time.Duration(r.ForMS)*time.Millisecond, r.Guard, now); more != "" {
		s += ", " + more
	}
	return s
}

// stepNodes names the nodes that a step has reached, as many as fit.
func stepNodes(r *keeperapi.Rollout, step string, s *Step) string {
	switch {
	case step == "all":
		return Plural(int64(r.Of), "node")
	case len(s.Nodes) == 0:
		return Dash
	case len(s.Nodes) == 1:
		return Cut(Safe(s.Nodes[0]), 10)
	}
	more := " +" + Count(len(s.Nodes)-1)
	return Cut(Safe(s.Nodes[0]), 10-len(more)) + more
}

// RolloutEnd says how a rollout ended, nothing while it runs.
func RolloutEnd(i *keeperapi.RolloutInfo, reached []string, st Style) []string {
	r := &i.Rollout
	took := Seconds(float64(max(0, (r.EndedAt-r.Started)/1000)))
	switch r.Phase {
	case keeperapi.PhaseDone:
		return Block(st.Apply(Good, "done")+" in "+took+": "+assignments(r)+" for "+everybody(r.Scope), "")
	case keeperapi.PhaseBroke:
		text := Safe(or(r.EndWhy)) + orNone(i.Baseline != "", " (untouched nodes: "+Safe(i.Baseline)+")")
		return append(Block(st.Apply(Bad, text), ""), back(reached)...)
	case keeperapi.PhaseAborted:
		return append(Block("aborted by "+somebody(r.EndedBy)+quoted(r.EndWhy), ""), back(reached)...)
	case keeperapi.PhaseExpired:
		return append(Block("its deadline came before its end", ""), back(reached)...)
	}
	return nil
}

// back says what was taken back.
func back(reached []string) []string {
	if len(reached) == 0 {
		return []string{"What it gave was taken back. Nothing else changed."}
	}
	return []string{"taken back on " + Fit(safes(reached), ", ", Columns-38) + ". Nothing else changed."}
}

func everybody(s keeperapi.Scope) string {
	if s == keeperapi.Fleet {
		return "the whole fleet"
	}
	return "all of " + ScopeName(s)
}

func assignments(r *keeperapi.Rollout) string {
	var items []string
	for _, k := range slices.Sorted(maps.Keys(r.Values)) {
		items = append(items, Safe(k)+" "+value(r.Values[k]))
	}
	return strings.Join(items, ", ")
}

// RolloutHead says what a rollout changes.
func RolloutHead(r *keeperapi.Rollout, now time.Time, st Style) []string {
	left := st.Apply(Strong, Safe(r.ID)) + ": " + assignments(r) + " on " + ScopeName(r.Scope) + ", " + string(r.Phase)
	lines := Block(left, "")
	text := "plan " + Safe(strings.Join(r.Steps, ",")) + ", soak " + Span(time.Duration(r.SoakMS)*time.Millisecond) + orNone(r.Guard != "", ", guard "+Safe(r.Guard))
	lines = append(lines, Block(text, "  ")...)
	text = "started by " + somebody(r.Who) + " " + ago(r.Started, now) + quoted(r.Why) +
		orNone(r.Deadline != 0 && r.Phase == keeperapi.PhaseRunning, "; for "+remains(r.Deadline, now)+" more")
	return append(lines, Block(text, "  ")...)
}

// Rollouts lists rollouts, the latest first.
func Rollouts(rs []keeperapi.Rollout, now time.Time, wide bool, st Style) []string {
	if len(rs) == 0 {
		return []string{"no rollout yet: pushctl knob set NAME VALUE --plan 1,5%,25%,all --soak 1m"}
	}
	width := Columns
	if wide {
		width = 0
	}
	g := &Grid{Columns: []Column{{Head: "ROLLOUT"}, {Head: "PHASE"}, {Head: "STEP", Right: true}, {Head: "NODES", Right: true}, {Head: "VALUES", Flex: true},
		{Head: "SCOPE", Flex: true}, {Head: "STARTED", Right: true}, {Head: "WHO", Flex: true}, {Head: "WHY", Wide: true}, {Head: "ENDED", Wide: true}}}
	running := ""
	for _, r := range slices.Backward(rs) {
		if r.Phase == keeperapi.PhaseRunning {
			running = r.ID
		}
		g.Rows = append(g.Rows, []Text{{S: Safe(r.ID)}, {string(r.Phase), phaseMark(r.Phase)}, {S: fmt.Sprintf("%d/%d", r.Step+1, len(r.Steps))},
			{S: reachedText(&r)}, {S: assignments(&r)}, {S: ScopeName(r.Scope)}, {S: when(r.Started.Go(), now)}, {S: Safe(or(r.Who))}, {S: Safe(r.Why)}, {S: Safe(r.EndWhy)}})
	}
	lines := g.Lines(width, st)
	if running != "" {
		lines = append(lines, "", "see how it does: pushctl knob rollout watch "+Safe(running))
	}
	return lines
}

func reachedText(r *keeperapi.Rollout) string {
	if r.All {
		return "all"
	}
	return Count(len(r.Nodes)) + "/" + Count(r.Of)
}

func phaseMark(p keeperapi.Phase) Mark {
	switch p {
	case keeperapi.PhaseDone:
		return Good
	case keeperapi.PhaseBroke:
		return Bad
	case keeperapi.PhaseAborted, keeperapi.PhaseExpired:
		return Warn
	}
	return Strong
}

// RolloutNodes lists how the nodes do that a rollout has reached.
func RolloutNodes(i *keeperapi.RolloutInfo, wide bool, st Style) []string {
	if len(i.Reached) == 0 {
		return nil
	}
	width, most := Columns, shownMost
	if wide {
		width, most = 0, len(i.Reached)
	}
	g := &Grid{Columns: []Column{{Head: "NODE", Flex: true}, {Head: "APPLIED"}, {Head: "GUARD"}, {Head: "FIGURES", Flex: true}}}
	for _, n := range i.Reached[:min(most, len(i.Reached))] {
		ok, mark := "holds", Good
		if !n.OK {
			ok, mark = "broke", Bad
		}
		if i.Guard == "" {
			ok, mark = Dash, Plain
		}
		yes := "yes"
		if !n.Applied {
			yes = "not yet"
		}
		g.Rows = append(g.Rows, []Text{{S: Safe(n.Node)}, {S: yes}, {ok, mark}, {S: Safe(or(n.Figures))}})
	}
	lines := g.Lines(width, st)
	if n := len(i.Reached) - most; n > 0 {
		lines = append(lines, "and "+Plural(int64(n), "node")+" more: -o wide")
	}
	return lines
}
