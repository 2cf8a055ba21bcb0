package agent

import (
	"maps"
	"slices"
)

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

// byRevision groups names by the revision of what they are to hold.
func (b *book) byRevision(targets map[string]target) map[uint64][]string {
	groups := map[uint64][]string{}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		r := b.items[name].force.revision
		groups[r] = append(groups[r], name)
	}
	return groups
}

func (a *Agent) dryRun(set map[string]target) error {
	t := transaction(set)
	t.DryRun = true
	_, err := a.cfg.Registry.Apply(t)
	return err
}
