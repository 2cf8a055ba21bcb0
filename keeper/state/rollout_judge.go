package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushfleet/internal/keeperapi"
)

// judgeStart begins a rollout with its first step.
func (s *State) judgeStart(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.RolloutStart](c)
	if no != nil {
		return nil, no
	}
	if no := s.judgeFrame(c, b.ForMS, b.Guard, false); no != nil {
		return nil, no
	}
	if no := s.judgeChanges(c, b.Changes, b.IfRev, false); no != nil {
		return nil, no
	}
	if no := judgePlan(b); no != nil {
		return nil, no
	}
	if len(s.running) >= rolloutsRunningMax {
		return nil, refuse(keeperapi.CodeTooMany, "%d rollouts are running: wait for one, or abort one", len(s.running))
	}
	if s.count+len(b.Changes) > s.limits.Values {
		return nil, refuse(keeperapi.CodeTooMany, "%d values are kept already: unset some, or raise values_max", s.count)
	}
	for _, a := range b.Changes {
		if no := s.judgeDepth(a); no != nil {
			return nil, no
		}
	}
	r := &rollout{Rollout: keeperapi.Rollout{ID: fmt.Sprintf("ro%d", s.revision+1), Phase: keeperapi.PhaseRunning,
		Scope: b.Changes[0].Scope, Values: map[string]string{}, Steps: b.Steps, SoakMS: b.SoakMS, Guard: b.Guard,
		Revision: s.revision + 1, Started: c.At, Who: c.Who, Why: c.Why, From: c.From}}
	for _, a := range b.Changes {
		r.Values[a.Knob] = a.Value
	}
	if b.ForMS > 0 {
		r.Deadline = c.At + keeperapi.Time(b.ForMS)
	}
	next := s.choose(r, 0, c.At)
	if next.of == 0 {
		return nil, refuse(keeperapi.CodeUnknownNode,
			"no live node of %s would take these values: see pushctl nodes, and pushctl knob explain for values that are set more closely", r.Scope)
	}
	return func(t *turn) keeperapi.Result {
		t.what = fmt.Sprintf("start rollout %s of %s on %s: %s", r.ID, r.describe(), r.Scope, strings.Join(r.Steps, ", "))
		s.rollouts[r.ID] = r
		s.started, s.running = append(s.started, r), append(s.running, r)
		r.read()
		return s.step(t, r, 0, next)
	}, nil
}

func judgePlan(b *keeperapi.RolloutStart) *keeperapi.Error {
	for _, a := range b.Changes {
		if a.Unset || a.Scope != b.Changes[0].Scope {
			return refuseKnob(keeperapi.CodeScope, a.Knob, "a rollout sets knobs of one scope: unset %s by a transaction", a.Knob)
		}
	}
	if b.SoakMS < 0 || b.SoakMS > forMax {
		return refuse(keeperapi.CodeMalformed, "a step cannot soak for %d ms: give 0 or more", b.SoakMS)
	}
	if len(b.Steps) == 0 || len(b.Steps) > 20 || b.Steps[len(b.Steps)-1] != stepAll {
		return refuse(keeperapi.CodeMalformed, "a plan has 1 to 20 steps and ends with all: write for example 1,5%%,25%%,all")
	}
	for _, step := range b.Steps {
		if _, ok := readStep(step, 1); !ok {
			return refuse(keeperapi.CodeMalformed, "%q is no step: write a count, a share such as 5%% or 0.5%%, or all", shortened(step))
		}
	}
	return nil
}

// judgeAdvance takes the next step, or makes the values those of the scope
// after the last.
func (s *State) judgeAdvance(c *command) (commit, *keeperapi.Error) {
	b, r, no := s.judgeMove(c)
	if no != nil {
		return nil, no
	}
	if b.Step != r.Step+1 {
		return nil, refuse(keeperapi.CodeRollout, "rollout %s is at step %d, so the next is %d, not %d: look again", r.ID, r.Step, r.Step+1, b.Step)
	}
	if c.At < r.SoakedAt() && !b.Force {
		return nil, refuse(keeperapi.CodeSoaking, "rollout %s soaks for %d ms more: wait, or force it", r.ID, r.SoakedAt()-c.At)
	}
	for _, knob := range slices.Sorted(maps.Keys(r.Values)) {
		if f := s.frozen(knob); f != nil {
			return nil, refuseKnob(keeperapi.CodeFrozen, knob, "%s is frozen by %s: %s; ask them, or abort the rollout", knob, orSomebody(f.Who), f.Why)
		}
	}
	return func(t *turn) keeperapi.Result {
		t.what = fmt.Sprintf("advance rollout %s to step %d", r.ID, b.Step)
		if b.Step == len(r.Steps) {
			return s.finish(t, r)
		}
		return s.step(t, r, b.Step, s.choose(r, b.Step, t.At))
	}, nil
}

// judgeMove finds the running rollout of a command.
func (s *State) judgeMove(c *command) (*keeperapi.RolloutMove, *rollout, *keeperapi.Error) {
	b, no := body[keeperapi.RolloutMove](c)
	if no != nil {
		return nil, nil, no
	}
	r := s.rollouts[b.Rollout]
	if r == nil {
		return nil, nil, refuse(keeperapi.CodeRollout, "there is no rollout %q: see pushctl knob rollout list", shortened(b.Rollout))
	}
	if r.Phase != keeperapi.PhaseRunning {
		return nil, nil, refuse(keeperapi.CodeRollout, "rollout %s is %s already: start another, or roll back", r.ID, r.Phase)
	}
	if no := short("node", b.Node, 128); no != nil {
		return nil, nil, no
	}
	return b, r, short("figures", b.Figures, 1024)
}

func (s *State) judgeEnd(c *command, phase keeperapi.Phase) (commit, *keeperapi.Error) {
	b, r, no := s.judgeMove(c)
	if no != nil {
		return nil, no
	}
	why := c.Why
	if phase == keeperapi.PhaseBroke {
		why = strings.TrimSpace("guard broke on " + b.Node + ": " + b.Figures)
	}
	return func(t *turn) keeperapi.Result {
		t.what = fmt.Sprintf("end rollout %s: %s", r.ID, phase)
		return s.endRollout(t, r, phase, t.Who, why)
	}, nil
}
