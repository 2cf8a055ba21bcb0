package table

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

// Whatever people, nodes and keepers call things, every narrow screen fits in
// 80 columns and no text of theirs commands the terminal.
func TestFleetScreensFitWhateverTheTexts(t *testing.T) {
	now := time.Date(2026, 11, 21, 14, 3, 7, 0, time.UTC)
	for seed := range uint64(100) {
		w := &wildFleet{rand.New(rand.NewPCG(seed, 2)), now}
		for what, lines := range w.screens() {
			for _, l := range lines {
				// Commands to copy and the change itself are never cut.
				if Width(l) > Columns && !strings.Contains(l, "pushctl") && !strings.Contains(l, " → ") && !strings.Contains(l, "as it was") {
					t.Fatalf("seed %d, %s: %d columns: %s", seed, what, Width(l), l)
				}
				if strings.ContainsAny(l, "\x1b\n\r") {
					t.Fatalf("seed %d, %s: control character in %q", seed, what, l)
				}
			}
		}
	}
}

// wildFleet makes up what keepers may say.
type wildFleet struct {
	*rand.Rand
	now time.Time
}

func (w *wildFleet) screens() map[string][]string {
	st, k, i := Style{}, w.knob(), w.rollout()
	steps := []Step{{Nodes: []string{w.node(), w.node()}, Took: time.Hour, Figures: wildText(w.Rand), State: "ok", Known: true}, {State: "broke"}}
	return map[string][]string{
		"knobs":    FleetKnobs([]keeperapi.KnobInfo{*w.knob(), *k}, w.now, false, st),
		"knob":     FleetKnob(k, w.now, false, st),
		"explain":  Explain(w.explain(), w.now, st),
		"answer":   Answer(w.answer(), Terms(time.Hour, wildText(w.Rand), w.now), false, st),
		"history":  History([]HistoryRow{{k.Name, w.change()}, {k.Name, w.change()}}, w.Uint64N(5), w.IntN(2) == 0, w.now, false, st),
		"sets":     Sets([]SetRow{{k.Name, w.scope(), w.value(), w.value(), wildText(w.Rand), w.at(), wildText(w.Rand), w.at()}}, w.now, false, st),
		"drifts":   Drifts([]keeperapi.Drift{{Node: w.node(), Knob: k.Name, Want: w.value(), Have: w.value(), Reason: "local"}}, false, st),
		"freezes":  Freezes([]keeperapi.Freeze{*w.freeze()}, w.now, false, st),
		"nodes":    Nodes([]keeperapi.NodeInfo{*w.nodeInfo(), *w.nodeInfo()}, w.now, false, st),
		"node":     Node(w.nodeInfo(), w.now, st),
		"status":   KeeperStatus(w.status(), false, st),
		"audit":    Audits([]keeperapi.Audit{{Revision: w.Uint64N(1e9), At: w.at(), Who: wildText(w.Rand), What: wildText(w.Rand), Why: wildText(w.Rand)}}, w.now, false, st),
		"tokens":   Tokens([]keeperapi.Token{{Name: w.node(), Role: keeperapi.RoleOperate, Who: wildText(w.Rand), At: w.at(), Expires: w.at()}}, w.now, false, st),
		"event":    {Event(w.event(), false, st)},
		"rollouts": Rollouts([]keeperapi.Rollout{i.Rollout}, w.now, false, st),
		"steps":    RolloutSteps(&i.Rollout, steps, false, st),
		"head":     RolloutHead(&i.Rollout, w.now, st),
		"end":      RolloutEnd(i, []string{w.node(), w.node()}, st),
		"reached":  RolloutNodes(i, false, st),
	}
}

func pick[T any](w *wildFleet, of ...T) T { return of[w.IntN(len(of))] }

func (w *wildFleet) node() string { return pick(w, "gw-1", "gw-"+strings.Repeat("9", 60), "a.b:c/d@e") }

func (w *wildFleet) value() string { return pick(w, "", "1024", "65536 KiB", "disconnect", "1m15s") }

func (w *wildFleet) at() keeperapi.Time {
	return keeperapi.TimeOf(w.now.Add(pick(w, -time.Second, -26*time.Hour, -900*24*time.Hour, time.Hour, 400*24*time.Hour)))
}

func (w *wildFleet) scope() keeperapi.Scope {
	return pick(w, keeperapi.Fleet, keeperapi.Scope("app=shop"), keeperapi.NodeScope(w.node()), keeperapi.CanaryScope("ro419"),
		keeperapi.Scope("zone="+strings.Repeat("z", 60)))
}

func (w *wildFleet) val() *keeperapi.Value {
	v := &keeperapi.Value{Value: w.value(), Revision: w.Uint64N(1e9), Who: wildText(w.Rand), At: w.at(), Why: wildText(w.Rand), Guard: pick(w, "", wildText(w.Rand))}
	if w.IntN(3) == 0 {
		v.Deadline, v.Before = w.at(), pick(w, nil, &keeperapi.Value{Value: w.value()})
	}
	return v
}

func (w *wildFleet) decl() keeperapi.Decl {
	return keeperapi.Decl{Name: pick(w, "conns.max", "heartbeat.stream.interval"), Type: pick(w, "int", "enum"), Unit: pick(w, "", "connections"),
		Help: wildText(w.Rand) + " of words that go on and on beyond the end of a line of eighty columns", Default: w.value(), Min: "1", Max: "16777216",
		Values: pick(w, nil, []string{"drop-oldest", "drop-newest", "coalesce", "disconnect"}), Risk: "medium", Acts: pick(w, "live", "new connections", "restart")}
}

func (w *wildFleet) freeze() *keeperapi.Freeze {
	return &keeperapi.Freeze{Knob: pick(w, "*", "conns.max"), Who: wildText(w.Rand), At: w.at(), Why: wildText(w.Rand)}
}

func (w *wildFleet) knob() *keeperapi.KnobInfo {
	k := &keeperapi.KnobInfo{Decl: w.decl(), Nodes: w.IntN(1e4), Variants: w.IntN(3), Rollout: pick(w, "", "ro419"), Last: w.Uint64N(1e9)}
	for range w.IntN(4) {
		k.Values = append(k.Values, keeperapi.ScopedValue{Scope: w.scope(), Value: *w.val()})
	}
	if w.IntN(3) == 0 {
		k.Frozen = w.freeze()
	}
	return k
}

func (w *wildFleet) explain() *keeperapi.Explain {
	d := w.decl()
	e := &keeperapi.Explain{Node: w.node(), Knob: "conns.max", Value: w.value(), Decl: pick(w, nil, &d), Frozen: pick(w, nil, w.freeze())}
	for n := range w.IntN(4) {
		s := w.scope()
		e.Layers = append(e.Layers, keeperapi.LayerValue{Layer: s.Layer(), Scope: s, Wins: n == 0, Value: *w.val()})
	}
	return e
}

func (w *wildFleet) refusals() []keeperapi.Refusal {
	return []keeperapi.Refusal{{Node: w.node(), Reason: wildText(w.Rand)}, {Node: w.node(), Reason: wildText(w.Rand)}}[:w.IntN(3)]
}

func (w *wildFleet) answer() *keeperapi.Answer {
	a := &keeperapi.Answer{DryRun: w.IntN(2) == 0, Result: keeperapi.Result{Revision: w.Uint64N(1e9), Changed: w.IntN(2)}, DiffNodes: w.IntN(3)}
	for range w.IntN(3) {
		a.Changes = append(a.Changes, keeperapi.Delta{Knob: "heartbeat.stream.interval", Scope: w.scope(), Old: w.value(), New: w.value(), Unit: "connections", Acts: "live"})
		a.Diff = append(a.Diff, keeperapi.NodeDiff{Node: w.node(), Knob: "conns.max", Old: w.value(), New: w.value(), OldScope: w.scope(), NewScope: w.scope()})
	}
	a.Checked = &keeperapi.Preflight{Asked: w.IntN(3), Silent: []string{w.node(), w.node()}[:w.IntN(3)], Refused: w.refusals()}
	a.Applied = &keeperapi.Applied{Of: w.IntN(3), Applied: w.IntN(3), Pending: []string{w.node(), w.node()}[:w.IntN(3)], Nacked: w.refusals(), TookMS: min(wild(w.Rand), 1e6)}
	return a
}

func (w *wildFleet) change() keeperapi.Change {
	return keeperapi.Change{Revision: w.Uint64N(1e9), Kind: pick(w, keeperapi.KindSet, keeperapi.KindRolloutStep, keeperapi.KindExpired), Scope: w.scope(),
		Old: pick(w, nil, w.val()), New: pick(w, nil, w.val()), Who: wildText(w.Rand), At: w.at(), Why: wildText(w.Rand)}
}

func (w *wildFleet) event() *keeperapi.Event {
	return &keeperapi.Event{Revision: w.Uint64N(1e9), Kind: pick(w, keeperapi.KindSet, keeperapi.KindRolloutStep, keeperapi.KindRolloutBroke, keeperapi.KindNodeNacked,
		keeperapi.KindFreeze, keeperapi.KindNodeHealth, keeperapi.KindTokenAdded, "\x1b_made_up"), At: w.at(), Knob: "conns.max", Scope: w.scope(), Old: w.value(), Value: wildText(w.Rand),
		Deadline: w.at(), Node: w.node(), Rollout: "ro419", Nodes: []string{w.node(), w.node()}[:w.IntN(3)], Who: wildText(w.Rand), Why: wildText(w.Rand)}
}

func (w *wildFleet) nodeInfo() *keeperapi.NodeInfo {
	n := &keeperapi.NodeInfo{Node: keeperapi.Node{ID: w.node(), Address: wildText(w.Rand), Version: wildText(w.Rand), Schema: pick(w, "", "0123456789abcdef"), Health: pick(w, "", "serving", "draining"),
		Labels: map[string]string{"app": wildText(w.Rand)}, Joined: w.at(), Seen: w.at(), Load: map[string]float64{"conns": min(wild(w.Rand), 1e7), "published.10s": min(wild(w.Rand), 1e7),
			"queued": min(wild(w.Rand), 1e7), "drops.10s": min(wild(w.Rand), 1e6), "cpu": min(wild(w.Rand), 6400)},
		Knobs: keeperapi.Ack{Applied: w.Uint64N(1e6), Nacked: w.Uint64N(1e6), Reason: wildText(w.Rand)}}, Current: w.IntN(2) == 0}
	if w.IntN(2) == 0 {
		n.DeadForMS = int64(min(wild(w.Rand), 1e10))
	}
	n.Drift = []keeperapi.Drift{{Knob: "conns.max", Want: w.value(), Have: w.value(), Reason: pick(w, "guard", "\x1b[2J")}}[:w.IntN(2)]
	return n
}

func (w *wildFleet) status() *keeperapi.Status {
	s := &keeperapi.Status{ID: w.node(), Cluster: wildText(w.Rand), Version: wildText(w.Rand), LeaderID: pick(w, "", "k1"), Revision: w.Uint64N(1e9), Term: w.Uint64N(1e6), LogIndex: w.Uint64N(1e12),
		LogKind: "wal", NowMS: keeperapi.TimeOf(w.now), UptimeMS: int64(min(wild(w.Rand), 1e11)), Sessions: w.IntN(1e4), Watchers: w.IntN(1e4)}
	for range w.IntN(5) {
		s.Members = append(s.Members, keeperapi.Member{ID: w.node(), Address: "[2001:db8::1234:5678]:7411", Voter: w.IntN(2) == 0, Leader: w.IntN(3) == 0, Known: w.IntN(2) == 0,
			OK: w.IntN(2) == 0, SinceMS: w.at(), Lag: w.Uint64N(1e12), Reason: wildText(w.Rand)})
	}
	return s
}

func (w *wildFleet) rollout() *keeperapi.RolloutInfo {
	r := keeperapi.Rollout{ID: "ro419", Phase: pick(w, keeperapi.PhaseRunning, keeperapi.PhaseDone, keeperapi.PhaseBroke, keeperapi.PhaseAborted, keeperapi.PhaseExpired), Scope: w.scope(),
		Values: map[string]string{"conns.max": w.value(), "heartbeat.stream.interval": w.value()}, Steps: []string{"1", "all"}, Step: w.IntN(2), Of: w.IntN(1e4), SoakMS: 60_000,
		Guard: wildText(w.Rand), Deadline: w.at(), StepAt: w.at(), Started: w.at(), Who: wildText(w.Rand), Why: wildText(w.Rand), EndedBy: wildText(w.Rand), EndWhy: wildText(w.Rand), EndedAt: w.at()}
	return &keeperapi.RolloutInfo{Rollout: r, NowMS: keeperapi.TimeOf(w.now), Baseline: wildText(w.Rand),
		Reached: []keeperapi.RolloutNode{{Node: w.node(), Applied: w.IntN(2) == 0, OK: w.IntN(2) == 0, Figures: wildText(w.Rand)}}[:w.IntN(2)]}
}

func TestStepSize(t *testing.T) {
	f := func(step string, of, want int) {
		t.Helper()
		if got := StepSize(step, of); got != want {
			t.Errorf("StepSize(%q, %d) = %d, want %d", step, of, got, want)
		}
	}
	f("1", 12, 1)
	f("20", 12, 12)
	f("5%", 12, 1) // never nobody
	f("25%", 12, 3)
	f("0.5%", 1000, 5)
	f("all", 12, 12)
	f("5%", 0, 0)
	f("x", 12, 0)
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 11, 21, 14, 3, 7, 0, time.UTC)
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := ago(keeperapi.TimeOf(now.Add(-d)), now); got != want {
			t.Errorf("%s ago is %q, want %q", d, got, want)
		}
	}
	f(0, "0 s ago")
	f(-time.Hour, "0 s ago") // another clock is ahead
	f(59*time.Second, "59 s ago")
	f(3*time.Minute+50*time.Second, "3 min ago")
	f(47*time.Hour, "47 h ago")
	f(12*24*time.Hour+5*time.Hour, "12 d ago")
	if got := ago(0, now); got != Dash {
		t.Errorf("never is %q", got)
	}
}

func TestSpanText(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := Span(d); got != want {
			t.Errorf("Span(%s) = %q, want %q", d, got, want)
		}
	}
	f(10*time.Minute, "10m")
	f(10*time.Minute+5*time.Second, "10m05s")
	f(2*time.Hour, "2h")
	f(24*time.Hour, "1d")
	f(26*time.Hour+30*time.Minute, "1d 2h")
	f(-time.Second, "0 s")
}
