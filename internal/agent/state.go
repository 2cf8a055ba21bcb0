package agent

import (
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

// State is how an agent does, for pages and metrics.
type State struct {
	Leader    string    // the keeper that leads, or did when last heard of
	Connected bool      // has a session with it
	Since     time.Time // that Connected is so; without keepers since the start

	Revision  uint64            // last one offered
	Ack       keeperapi.Ack     // what the keepers were answered
	Drift     []keeperapi.Drift // what the node holds otherwise than it should, by knob
	Held      int               // knobs that the keepers say something about
	LastGood  string            // the file that the process began with, "" for none
	Probation bool              // a change is younger than Config.Probation
}

// State returns how the agent does. It never waits and may be called from
// callbacks.
func (a *Agent) State() State {
	s := *a.view.Load()
	s.Since = a.started
	if a.session != nil {
		s.Leader, s.Connected, s.Since = a.session.State()
	}
	return s
}

func (a *Agent) publish() {
	a.view.Store(&State{Revision: a.book.revision, Ack: a.book.ack, Drift: a.drifted, Held: len(a.book.items),
		LastGood: a.lastGood, Probation: a.book.onProbation()})
}

// tell says the drift when it has changed.
func (a *Agent) tell(now time.Time) {
	list := a.drift(now)
	if slices.Equal(list, a.drifted) {
		return
	}
	a.drifted = list
	a.say(keeperapi.NodeFrame{Drift: &keeperapi.Drifts{List: list}})
}

// drift lists what the node holds otherwise than it should, by knob.
func (a *Agent) drift(now time.Time) (list []keeperapi.Drift) {
	for name, it := range a.book.items {
		if !a.own.declares(name) || it.local && it.itsOwn() {
			continue
		}
		want, _ := a.own.text(name, &it.want, it.want.at(now))
		d := keeperapi.Drift{Node: a.cfg.ID, Knob: name, Want: want, Have: a.seen[name], Reason: it.reason}
		if it.local {
			d.Reason = keeperapi.DriftLocal
		}
		if d.Reason == "" { // it could not be put
			d.Reason = keeperapi.DriftNacked
		}
		if d.Want != d.Have {
			list = append(list, d)
		}
	}
	for name, base := range a.own.base { // nobody else speaks of it, but operators take the fleet to be alike
		if it, spoken := a.book.items[name]; (!spoken || it.local && it.itsOwn()) && a.seen[name] != base.Value {
			list = append(list, keeperapi.Drift{Node: a.cfg.ID, Knob: name, Want: base.Value, Have: a.seen[name], Reason: keeperapi.DriftLocal})
		}
	}
	for name, began := range a.own.atStart {
		if in := a.seen[name]; began != in && a.fleets(name) {
			list = append(list, keeperapi.Drift{Node: a.cfg.ID, Knob: name, Want: in, Have: began, Reason: keeperapi.DriftRestart})
		}
	}
	slices.SortFunc(list, func(x, y keeperapi.Drift) int { return strings.Compare(x.Knob, y.Knob) })
	return list
}

// fleets tells whether a knob's value in the registry is no local one.
func (a *Agent) fleets(name string) bool {
	it, spoken := a.book.items[name]
	return spoken && !it.local || a.seen[name] == a.own.base[name].Value
}
