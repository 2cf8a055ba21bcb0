package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushfleet/internal/keeperapi"
)

// rolloutsRunningMax bounds rollouts at one time.
const rolloutsRunningMax = 32

// rollout is a plan on its way. The values lie in the canary layer for the
// nodes reached, and nowhere else until it is done: ending it can only take
// back what it gave.
type rollout struct {
	keeperapi.Rollout
	in map[string]bool // derived: Nodes
	// given is what the nodes reached hold, by knob; each keeps the revision
	// of the start.
	given map[string]*keeperapi.Value
}

// read derives what is not in the snapshot.
func (r *rollout) read() {
	r.in = make(map[string]bool, len(r.Nodes))
	for _, id := range r.Nodes {
		r.in[id] = true
	}
	r.given = make(map[string]*keeperapi.Value, len(r.Values))
	for knob, v := range r.Values {
		r.given[knob] = r.value(v, r.Revision, r.Started)
	}
}

func (r *rollout) value(v string, revision uint64, at keeperapi.Time) *keeperapi.Value {
	return &keeperapi.Value{Value: v, Revision: revision, Who: r.Who, At: at, Why: r.Why, From: r.From,
		Guard: r.Guard, Rollout: r.ID, Deadline: r.Deadline}
}

// valueFor returns what the node holds by the rollout, or nil. Once all are
// reached, that is what the node would hold with the rollout done.
func (r *rollout) valueFor(s *State, n *keeperapi.Node, knob string) *keeperapi.Value {
	v := r.given[knob]
	if v == nil || r.in[n.ID] || r.All && r.Scope.Covers(n.ID, n.Labels) && !s.shielded(n, r.Scope, knob) {
		return v
	}
	return nil
}

// drop forgets a node that left.
func (r *rollout) drop(id string) {
	if r.in[id] {
		delete(r.in, id)
		r.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes), func(have string) bool { return have == id })
	}
}

// rolloutOf returns the running rollout of a knob; there is at most one.
func (s *State) rolloutOf(knob string) *rollout {
	for _, r := range s.running {
		if _, ok := r.Values[knob]; ok {
			return r
		}
	}
	return nil
}

// rolloutsOf returns the running rollouts of the knobs, each once, in the
// order of their start.
func (s *State) rolloutsOf(changes []keeperapi.Assign) []*rollout {
	var out []*rollout
	for _, r := range s.running {
		if slices.ContainsFunc(changes, func(a keeperapi.Assign) bool { _, ok := r.Values[a.Knob]; return ok }) {
			out = append(out, r)
		}
	}
	return out
}

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

func (r *rollout) describe() string {
	var words []string
	for _, knob := range slices.Sorted(maps.Keys(r.Values)) {
		if len(words) == 5 {
			words = append(words, fmt.Sprintf("and %d more", len(r.Values)-5))
			break
		}
		words = append(words, knob+"="+shortened(r.Values[knob]))
	}
	return strings.Join(words, ", ")
}

// Rollout returns one rollout, running or remembered.
func (s *State) Rollout(id string) (r keeperapi.Rollout, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.rollouts[id]; p != nil {
		return p.Rollout, true
	}
	return r, false
}

// Rollouts returns all in the order of their start. Their maps and slices must
// not be changed.
func (s *State) Rollouts() []keeperapi.Rollout {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []keeperapi.Rollout
	for _, r := range s.started {
		out = append(out, r.Rollout)
	}
	return out
}
