package agent

import (
	"maps"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// target is what a knob should be in the registry.
type target struct {
	text string
	from knob.Origin
}

// look reads the registry if it has moved, and notes what somebody else set.
func (a *Agent) look() {
	if r := a.cfg.Registry.Revision(); a.seen == nil || r != a.looked {
		a.looked, a.seen = r, map[string]string{}
		for _, s := range a.cfg.Registry.List() {
			a.seen[s.Name] = s.Value
		}
	}
	for name, put := range a.put {
		it := a.book.items[name]
		local := a.seen[name] != put.text
		if local == it.local {
			continue
		}
		it.local = local
		a.book.items[name] = it
		if local && !it.itsOwn() {
			a.cfg.Log.Warn("a knob of the fleet was set on the node itself: left alone until the keepers change it",
				"knob", name, "fleet", put.text, "have", a.seen[name])
		}
	}
}

// candidates are the knobs that should be otherwise in the registry, by name.
func (a *Agent) candidates(b *book, now time.Time) map[string]target {
	out := map[string]target{}
	for name, it := range b.items {
		if it.local || !a.own.declares(name) {
			continue
		}
		var t target
		t.text, t.from = a.own.text(name, &it.force, it.force.at(now))
		put, ours := a.put[name]
		away := !ours && it.force.held == nil // and never was put
		if a.seen[name] != t.text || put != t && !away {
			out[name] = t
		}
	}
	return out
}

func transaction(set map[string]target) knob.Txn {
	t := knob.Txn{Set: make(map[string]string, len(set)), Origins: make(map[string]knob.Origin, len(set))}
	for name, to := range set {
		t.Set[name], t.Origins[name] = to.text, to.from
	}
	return t
}

// apply puts values into the registry, all or none.
func (a *Agent) apply(set map[string]target) error {
	if len(set) == 0 {
		return nil
	}
	changes, err := a.cfg.Registry.Apply(transaction(set))
	if err != nil {
		return err
	}
	var said []string
	for _, c := range changes {
		a.put[c.Name], a.seen[c.Name] = target{c.New, set[c.Name].from}, c.New
		delete(a.stuck, c.Name)
		if c.Old != c.New {
			a.changes = append(a.changes, c)
			said = append(said, c.Name+" "+c.Old+" → "+c.New)
		}
	}
	if len(said) > 0 {
		a.cfg.Log.Info("knobs changed", "revision", a.book.revision, "knobs", shortList(said))
	}
	return nil
}

// forget drops knobs that are the node's own again.
func (a *Agent) forget() {
	for name, it := range a.book.items {
		if it.itsOwn() && it.young.IsZero() && (it.local || !a.own.declares(name) || a.seen[name] == a.own.base[name].Value) {
			delete(a.book.items, name)
			delete(a.put, name)
		}
	}
}

// settle puts in force what has followed by itself. Where the registry does not
// take it, the node's own defaults stand in: a value that is over, or whose
// guard broke, must not stay. It is tried again, and logged once.
func (a *Agent) settle(now time.Time) {
	targets := a.candidates(&a.book, now)
	if a.apply(targets) == nil {
		return
	}
	maps.DeleteFunc(targets, func(name string, t target) bool { return a.stuck[name] == t.text })
	if a.apply(targets) == nil {
		return
	}
	for _, names := range a.book.byRevision(targets) {
		group := map[string]target{}
		pick(group, targets, names)
		if err := a.apply(group); err != nil {
			a.standIn(names, group, err)
		}
	}
}

func (a *Agent) standIn(names []string, group map[string]target, err error) {
	base := map[string]target{}
	for _, name := range names {
		var t target
		t.text, t.from = a.own.text(name, &chain{}, stand{layer: keeperapi.LayerDefault})
		base[name] = t
	}
	err2 := a.apply(base)
	for _, name := range names {
		a.stuck[name] = group[name].text
	}
	a.cfg.Log.Error("knobs cannot go back as agreed: the node's own defaults stand in", "knobs", shortList(names),
		"err", reasonOf(err), "default_err", err2)
}
