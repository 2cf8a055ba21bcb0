package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// take puts a book in force as far as the registry takes it: a revision whole
// or not at all, written to disk first, all in one transaction.
func (a *Agent) take(next book, now time.Time) {
	old := a.book
	targets := a.candidates(&next, now)
	taken := a.judge(&next, old, targets)
	for name, t := range taken {
		if it := next.items[name]; a.seen[name] != t.text && a.disk != nil {
			it.young = now
			next.items[name] = it
		}
	}
	next.welcomeBack(a.proven)
	next.acknowledge(old)
	a.book = next
	a.retryAt = time.Time{}
	if len(taken) == 0 { // nothing comes into force, so it may be written later
		a.unsaved = true
		return
	}
	err := a.save(now)
	if err == nil {
		err = a.apply(taken)
	}
	if err != nil {
		a.takeBack(old, slices.Sorted(maps.Keys(taken)), err, now)
	}
}

// takeBack has the values stay as they were when there is no way to take them.
func (a *Agent) takeBack(old book, names []string, err error, now time.Time) {
	a.book.ack = old.ack
	a.book.refuse(names, reasonOf(err), old)
	a.book.acknowledge(old)
	a.retryAt = now.Add(retryEvery)
	_ = a.save(now) // was logged, and is tried again
}

// retryEvery is how often it is tried again to take what the disk refused.
const retryEvery = 5 * time.Second

// retry tries once more, and tells the keepers when it went well.
func (a *Agent) retry(now time.Time) {
	if a.retryAt.IsZero() || now.Before(a.retryAt) {
		return
	}
	again := a.book.merge(keeperapi.Update{Revision: a.book.revision, Position: a.book.position}, now)
	a.take(again, now)
	if a.retryAt.IsZero() {
		a.say(keeperapi.NodeFrame{Ack: new(a.book.ack)})
	}
}

// judge asks the registry what it would take of the targets, and has the book
// refuse the rest. If not all fits together, revisions are tried one by one:
// one bad value must not keep a node from all others.
func (a *Agent) judge(next *book, old book, targets map[string]target) (taken map[string]target) {
	groups := next.byRevision(targets)
	for r, names := range groups {
		if why := next.unreadable(names); why != "" {
			next.refuse(names, why, old)
			delete(groups, r)
		}
	}
	taken = map[string]target{}
	for _, names := range groups {
		pick(taken, targets, names)
	}
	if len(taken) == 0 || a.dryRun(taken) == nil {
		return taken
	}
	taken, refused := a.oneByOne(groups, targets)
	for r, err := range refused {
		next.refuse(groups[r], reasonOf(err), old)
	}
	return taken
}

// oneByOne gathers the revisions that fit, the oldest first, and once more
// those that only fit beside later ones.
func (a *Agent) oneByOne(groups map[uint64][]string, targets map[string]target) (taken map[string]target, refused map[uint64]error) {
	taken, refused = map[string]target{}, map[uint64]error{}
	left := slices.Sorted(maps.Keys(groups))
	for range 2 {
		left = slices.DeleteFunc(left, func(r uint64) bool {
			more := maps.Clone(taken)
			pick(more, targets, groups[r])
			if err := a.dryRun(more); err != nil {
				refused[r] = err
				return false
			}
			taken = more
			delete(refused, r)
			return true
		})
	}
	return taken, refused
}

func pick(into, from map[string]target, names []string) {
	for _, name := range names {
		into[name] = from[name]
	}
}

// unreadable returns why one of the knobs cannot be taken, "" if all can.
func (b *book) unreadable(names []string) string {
	for _, name := range names {
		if it := b.items[name]; it.force.bad != "" {
			return name + ": " + it.force.bad
		}
	}
	return ""
}

func (a *Agent) dryRun(set map[string]target) error {
	t := transaction(set)
	t.DryRun = true
	_, err := a.cfg.Registry.Apply(t)
	return err
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

// byRevision groups names by the revision of what they are to hold.
func (b *book) byRevision(targets map[string]target) map[uint64][]string {
	groups := map[uint64][]string{}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		r := b.items[name].force.revision
		groups[r] = append(groups[r], name)
	}
	return groups
}

// reasonMax bounds a reason, in bytes; keepers take 1024.
const reasonMax = 1000

// reasonOf makes one line of an error.
func reasonOf(err error) string {
	s := strings.ReplaceAll(err.Error(), "\n", "; ")
	return strings.ToValidUTF8(s[:min(len(s), reasonMax)], "")
}

// shortList prints the first few of many.
func shortList(items []string) string {
	const show = 8
	if len(items) > show {
		return strings.Join(items[:show], ", ") + fmt.Sprintf(" and %d more", len(items)-show)
	}
	return strings.Join(items, ", ")
}
