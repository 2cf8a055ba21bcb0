package steer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/state"
	"pushfleet/keeper/watch"
)

// Config is what a Helm needs; it does not change.
type Config struct {
	State   *state.State
	Hub     *watch.Hub
	Desk    *nodes.Desk
	Propose func(context.Context, state.Command) (keeperapi.Result, error)
	Now     func() keeperapi.Time
	Log     *slog.Logger
	// Grace is how long after coming to lead nothing is ended: nodes that were
	// connected to the leader before must be able to come back.
	Grace time.Duration
}

// Helm acts while its member leads.
type Helm struct {
	cfg   Config
	broke chan broken
}

// broken is what a node said of its guard.
type broken struct {
	node string
	keeperapi.Broke
}

// brokeMax bounds what waits to be looked at. Nodes have gone back by
// themselves already; the first report ends the value for all.
const brokeMax = 256

// New returns a helm; Run turns it.
func New(cfg Config) *Helm {
	return &Helm{cfg: cfg, broke: make(chan broken, brokeMax)}
}

// Broke takes a node's report. It does not block.
func (h *Helm) Broke(node string, b *keeperapi.Broke) {
	select {
	case h.broke <- broken{node, *b}:
	default:
		h.cfg.Log.Warn("guard broke, but too many wait to be looked at", "node", node, "knobs", b.Knobs)
	}
}

// Look bounds: nothing is looked at more often or more seldom.
const (
	lookLeast = 20 * time.Millisecond
	lookMost  = 250 * time.Millisecond // applied and refused make no event
)

// Run acts until ctx ends.
func (h *Helm) Run(ctx context.Context) {
	began := time.Now()
	for {
		_, more := h.cfg.Hub.Any()
		wait := h.rollouts(ctx)
		if left := h.cfg.Grace - time.Since(began); left > 0 {
			wait = min(wait, left)
		} else {
			wait = min(wait, h.expire(ctx))
		}
		select {
		case <-ctx.Done():
			return
		case b := <-h.broke:
			h.takeBack(ctx, b)
		case <-more:
			pause(ctx, lookLeast)
		case <-time.After(max(wait, lookLeast)):
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// expire ends what is over and returns how long until the next is.
func (h *Helm) expire(ctx context.Context) time.Duration {
	next := h.cfg.State.NextDeadline()
	if next == 0 {
		return time.Minute
	}
	if left := next - h.cfg.Now(); left > 0 {
		return min(time.Duration(left)*time.Millisecond, time.Minute)
	}
	h.propose(ctx, state.Command{Op: state.OpExpire})
	return lookMost
}

// propose commits a command of the keeper's own; what could not be done is
// seen again at the next look.
func (h *Helm) propose(ctx context.Context, c state.Command) (done bool) {
	r, err := h.cfg.Propose(ctx, c)
	if err == nil && r.Error != nil {
		err = r.Error
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		h.cfg.Log.Debug("keeper's own command", "op", c.Op, "err", err)
	}
	return err == nil
}

// rollouts moves what is to be moved, and returns how long until the next look.
func (h *Helm) rollouts(ctx context.Context) time.Duration {
	wait := time.Minute
	var seen map[string]nodes.Seen
	for _, r := range h.cfg.State.Rollouts() {
		if r.Phase != keeperapi.PhaseRunning {
			continue
		}
		if seen == nil {
			seen = h.cfg.Desk.Seen()
		}
		l := h.look(r, seen)
		h.act(ctx, &r, decide(l))
		wait = min(wait, lookMost, max(0, time.Duration(l.wake()-l.now)*time.Millisecond))
	}
	return wait
}

func (h *Helm) act(ctx context.Context, r *keeperapi.Rollout, v verdict) {
	c := state.Command{Who: "keeper", Body: keeperapi.RolloutMove{Rollout: r.ID, Step: v.step, Node: v.broke, Figures: v.why}}
	switch {
	case v.broke != "":
		c.Op = state.OpRolloutBreak
		if h.propose(ctx, c) {
			h.cfg.Log.Warn("rollout ended", "rollout", r.ID, "node", v.broke, "why", v.why)
		}
	case v.step >= 0:
		c.Op = state.OpRolloutAdvance
		if h.propose(ctx, c) {
			h.cfg.Log.Info("rollout", "rollout", r.ID, "step", v.step, "of", len(r.Steps))
		}
	}
}

// look gathers what is to be known of a rollout.
func (h *Helm) look(r keeperapi.Rollout, seen map[string]nodes.Seen) look {
	l := look{now: h.cfg.Now(), rollout: r}
	step := h.stepRevision(&r)
	for _, n := range h.cfg.State.Nodes() {
		if !r.All && !slices.Contains(r.Nodes, n.ID) || r.All && !r.Scope.Covers(n.ID, n.Labels) {
			continue
		}
		s, connected := seen[n.ID]
		one := reached{id: n.ID, dead: n.Dead, connected: connected, applied: s.Applied >= step}
		if s.Nacked >= r.Revision && s.Nacked > s.Applied {
			one.nacked = s.Reason
		}
		l.reached = append(l.reached, one)
	}
	return l
}

// stepRevision is the revision at which the current step was taken: who has
// applied that holds the rollout's values.
func (h *Helm) stepRevision(r *keeperapi.Rollout) uint64 {
	step := r.Revision
	for knob := range r.Values {
		changes, _, _ := h.cfg.State.History(knob)
		for _, c := range slices.Backward(changes) {
			if c.Kind == keeperapi.KindRolloutStep && c.Scope == keeperapi.CanaryScope(r.ID) {
				return max(step, c.Revision)
			}
		}
	}
	return step
}

// takeBack ends for all what broke a guard on one node: the rollout, or the
// values of that revision if nobody has changed them since.
func (h *Helm) takeBack(ctx context.Context, b broken) {
	if b.Rollout != "" {
		r, ok := h.cfg.State.Rollout(b.Rollout)
		if !ok || r.Phase != keeperapi.PhaseRunning {
			return
		}
		h.act(ctx, &r, verdict{-1, b.node, b.Figures})
		return
	}
	if !h.stands(b) {
		return
	}
	revision := b.Revision
	done := h.propose(ctx, state.Command{Op: state.OpRollback, Who: "guard on " + b.node, Why: clip("guard broke: " + b.Figures),
		Body: keeperapi.Rollback{To: revision - 1, Knobs: b.Knobs, IfRev: &revision}})
	if done {
		h.cfg.Log.Warn("values taken back", "revision", revision, "node", b.node, "knobs", strings.Join(b.Knobs, ", "), "why", b.Figures)
	}
}

// stands tells whether the values of the report are still in force.
func (h *Helm) stands(b broken) bool {
	if b.Revision == 0 || len(b.Knobs) == 0 {
		return false
	}
	for _, knob := range b.Knobs {
		if h.cfg.State.Last(knob) != b.Revision {
			return false
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 1000)] }
