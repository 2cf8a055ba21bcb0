package agent

import (
	"maps"
	"slices"
	"time"

	"pushfleet/internal/keeperapi"
)

// promise is a guard over the values of one revision.
type promise struct {
	revision uint64
	guard    string
}

// watchGuards looks at the guards of values in force. When one breaks, all
// values of its revision that carry it are given up.
func (a *Agent) watchGuards(now time.Time) {
	guarded := map[promise][]string{}
	for name, it := range a.book.items {
		if it.force.guard != nil && !it.local && it.force.at(now).first && a.own.declares(name) {
			p := promise{it.force.revision, it.force.held.Guard}
			guarded[p] = append(guarded[p], name)
		}
	}
	if len(guarded) == 0 {
		return
	}
	figures := a.figures()
	for p, names := range guarded {
		c := a.book.items[names[0]].force
		if o := c.guard.Eval(figures); !o.Holds {
			a.broken(p, slices.Sorted(slices.Values(names)), c.held.Rollout, o.Figures)
		}
	}
}

func (a *Agent) broken(p promise, names []string, rollout, figures string) {
	for _, name := range names {
		a.book.giveUp(name, keeperapi.DriftGuard, figures)
	}
	a.unsaved = true
	a.cfg.Log.Warn("a guard broke: the node goes back by itself", "revision", p.revision, "guard", p.guard,
		"figures", figures, "knobs", shortList(names))
	a.say(keeperapi.NodeFrame{Broke: &keeperapi.Broke{Knobs: names, Revision: p.revision, Rollout: rollout, Guard: p.guard, Figures: figures}})
}

// sayBroken tells again what broke before a restart; keepers take it once.
func (a *Agent) sayBroken() {
	broke := map[promise]*keeperapi.Broke{}
	for _, name := range slices.Sorted(maps.Keys(a.book.items)) {
		it := a.book.items[name]
		if it.reason != keeperapi.DriftGuard || it.want.held == nil {
			continue
		}
		p := promise{it.want.revision, it.want.held.Guard}
		if broke[p] == nil {
			broke[p] = &keeperapi.Broke{Revision: p.revision, Rollout: it.want.held.Rollout, Guard: p.guard, Figures: it.why}
			a.say(keeperapi.NodeFrame{Broke: broke[p]})
		}
		broke[p].Knobs = append(broke[p].Knobs, name)
	}
}

// silence is for how long no keeper has answered.
func (a *Agent) silence(now time.Time) time.Duration {
	last := a.started
	if a.session != nil {
		_, connected, since := a.session.State()
		if connected {
			return 0
		}
		if since.After(last) {
			last = since
		}
	}
	return now.Sub(last)
}

// watchSilence gives up canary values when nobody can take them back any more.
func (a *Agent) watchSilence(now time.Time) {
	var names []string
	for name, it := range a.book.items {
		if it.force.canary(now) && !it.local {
			names = append(names, name)
		}
	}
	if len(names) == 0 || a.silence(now) < a.cfg.CanaryPatience {
		return
	}
	slices.Sort(names)
	why := "no keeper has answered for " + a.cfg.CanaryPatience.String()
	for _, name := range names {
		a.book.giveUp(name, keeperapi.DriftSilent, why)
	}
	a.unsaved = true
	a.cfg.Log.Warn("canary values are given up until a keeper confirms them", "why", why, "knobs", shortList(names))
}

// unconfirmed tells whether a keeper must say everything again: a canary value
// was given up, or may be while it is being asked.
func (a *Agent) unconfirmed(now time.Time) bool {
	late := a.silence(now) >= a.cfg.CanaryPatience/2
	for _, it := range a.book.items {
		if it.reason == keeperapi.DriftSilent || late && it.force.canary(now) {
			return true
		}
	}
	return false
}
