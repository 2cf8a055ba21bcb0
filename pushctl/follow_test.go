package main

import (
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

func TestBlockRedrawsBelowWhatStands(t *testing.T) {
	var b strings.Builder
	bl := &block{w: &b, size: func() (int, int) { return 80, 24 }}
	if err := bl.draw([]string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "\r\x1b[Kone\n\r\x1b[Ktwo\n\x1b[J"; got != want {
		t.Errorf("first: %q, want %q", got, want)
	}
	b.Reset()
	if err := bl.draw([]string{"1"}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "\x1b[2A\r\x1b[K1\n\x1b[J"; got != want {
		t.Errorf("second: %q, want %q", got, want)
	}
	// A small terminal shows the latest lines, cut, so that going up is right.
	b.Reset()
	small := &block{w: &b, size: func() (int, int) { return 3, 3 }}
	if err := small.draw([]string{"first", "second", "third"}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "\r\x1b[Kse…\n\r\x1b[Kth…\n\x1b[J"; got != want || small.tall != 2 {
		t.Errorf("small: %q, want %q; %d lines", got, want, small.tall)
	}
}

// TestFollowerRemembersSteps holds that steps keep their nodes and figures when
// the rollout itself only tells of the last.
func TestFollowerRemembersSteps(t *testing.T) {
	w := &follower{fleet: &fleet{options: &options{env: testEnv()}}}
	r := keeperapi.Rollout{ID: "ro1", Phase: keeperapi.PhaseRunning, Steps: []string{"1", "50%", "all"}, Of: 4, SoakMS: 60_000, Guard: "drops.10s < 5/s",
		Nodes: []string{"c"}}
	figures := func(node string, ok bool, text string) keeperapi.RolloutNode {
		return keeperapi.RolloutNode{Node: node, Applied: true, OK: ok, Figures: text}
	}
	w.note(&keeperapi.RolloutInfo{Rollout: r, NowMS: 61_000, Reached: []keeperapi.RolloutNode{figures("c", true, "drops.10s 0/s")}})
	r.Step, r.StepAt, r.Nodes = 1, 61_000, []string{"c", "a"}
	w.note(&keeperapi.RolloutInfo{Rollout: r, NowMS: 62_000, Reached: []keeperapi.RolloutNode{figures("c", true, "drops.10s 0/s"), {Node: "a"}}})
	if s := w.steps[1]; s.State != "1 of 2 applied" || s.Took != time.Second {
		t.Errorf("second step: %+v", s)
	}
	r.Step, r.StepAt, r.Nodes, r.All = 2, 122_000, nil, true
	r.Phase, r.EndedAt = keeperapi.PhaseBroke, 130_000
	w.note(&keeperapi.RolloutInfo{Rollout: r, NowMS: 500_000,
		Reached: []keeperapi.RolloutNode{figures("a", true, "drops.10s 1/s"), figures("b", false, "drops.10s 9/s"), figures("c", true, "drops.10s 2/s"), figures("d", true, "")}})
	f := func(i int, nodes, state, figures string, took time.Duration) {
		t.Helper()
		s := w.steps[i]
		if strings.Join(s.Nodes, " ") != nodes || s.State != state || s.Figures != figures || s.Took != took {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	f(0, "c", "ok", "drops.10s 0/s", 61*time.Second)
	f(1, "a", "ok", "drops.10s 0/s", time.Minute)
	f(2, "b d", "broke", "drops.10s 9/s", 8*time.Second)
}

func TestFlattenLeavesOutWhatIsWithinItself(t *testing.T) {
	var b strings.Builder
	o := &options{env: &env{out: &b}, format: "csv"}
	before := &keeperapi.Value{Value: "1"}
	row := keeperapi.Change{Revision: 3, Old: &keeperapi.Value{Value: "2", Before: before}}
	if err := o.print(&view{rows: []any{row, keeperapi.Change{Revision: 4, New: before}}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "revision,kind,scope,old.value,") || strings.Contains(lines[0], "before") ||
		!strings.HasPrefix(lines[1], "3,,,2,") || strings.Count(lines[0], ",") != strings.Count(lines[2], ",") {
		t.Errorf("%s", b.String())
	}
}
