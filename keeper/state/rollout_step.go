package state

import (
	"maps"
	"slices"

	"pushfleet/internal/keeperapi"
)

// step reaches further nodes.
func (s *State) step(t *turn, r *rollout, step int, next choice) keeperapi.Result {
	added := next.nodes
	r.Nodes = append(slices.Clone(r.Nodes), added...)
	r.Step, r.Of, r.All, r.StepAt = step, next.of, next.all, t.At
	if r.All {
		added, r.Nodes = nil, nil
	}
	r.read()
	s.tellRollout(t, r, keeperapi.KindRolloutStep, added)
	return r.result(next.nodes)
}

// finish makes the values those of the scope.
func (s *State) finish(t *turn, r *rollout) keeperapi.Result {
	s.stop(t, r, keeperapi.PhaseDone, t.Who, "")
	for _, knob := range slices.Sorted(maps.Keys(r.Values)) {
		p := place{r.Scope, knob}
		s.change(t, keeperapi.KindRolloutDone, p, above(s.at(p), *r.value(r.Values[knob], t.revision, t.At)))
	}
	return keeperapi.Result{Rollout: r.ID, Changed: len(r.Values)}
}

var endKinds = map[keeperapi.Phase]keeperapi.Kind{
	keeperapi.PhaseAborted: keeperapi.KindRolloutAbort,
	keeperapi.PhaseBroke:   keeperapi.KindRolloutBroke,
	keeperapi.PhaseExpired: keeperapi.KindRolloutExpire,
}

// endRollout takes back what the rollout gave.
func (s *State) endRollout(t *turn, r *rollout, phase keeperapi.Phase, who, why string) keeperapi.Result {
	s.stop(t, r, phase, who, why)
	s.tellRollout(t, r, endKinds[phase], r.Nodes)
	return r.result(r.Nodes)
}

func (r *rollout) result(nodes []string) keeperapi.Result {
	return keeperapi.Result{Rollout: r.ID, Nodes: nodes[:min(len(nodes), 100)], Reached: len(nodes), Changed: len(r.Values)}
}

func (s *State) stop(t *turn, r *rollout, phase keeperapi.Phase, who, why string) {
	r.Phase, r.EndedBy, r.EndWhy, r.EndedAt = phase, who, why, t.At
	s.running = slices.DeleteFunc(s.running, func(x *rollout) bool { return x == r })
	s.forgetRollouts()
}

// tellRollout writes the history and an event for each knob.
func (s *State) tellRollout(t *turn, r *rollout, kind keeperapi.Kind, nodes []string) {
	for _, knob := range slices.Sorted(maps.Keys(r.Values)) {
		c := keeperapi.Change{Revision: t.revision, Kind: kind, Scope: keeperapi.CanaryScope(r.ID), At: t.At}
		e := keeperapi.Event{Kind: kind, Knob: knob, Scope: r.Scope, Rollout: r.ID, Nodes: nodes, All: r.All, Why: r.EndWhy}
		if kind == keeperapi.KindRolloutStep {
			c.New, e.Value, e.Deadline = r.given[knob], r.Values[knob], r.Deadline
		} else {
			c.Old, e.Old = r.given[knob], r.Values[knob]
		}
		s.record(t, knob, c)
		t.tell(e)
	}
}

// forgetRollouts keeps the latest ended ones.
func (s *State) forgetRollouts() {
	over := len(s.started) - len(s.running) - s.limits.Rollouts
	s.started = slices.DeleteFunc(s.started, func(r *rollout) bool {
		if over <= 0 || r.Phase == keeperapi.PhaseRunning {
			return false
		}
		over--
		delete(s.rollouts, r.ID)
		return true
	})
}
