package agent

import (
	"maps"
	"time"

	"pushfleet/internal/keeperapi"
)

// book is all that a node knows of what it must hold. It is pure: what it says
// depends on itself and the time that is passed in.
type book struct {
	cluster  string // whose numbers these are
	revision uint64 // of the last update
	position uint64 // of the last update; 0 asks for everything
	ack      keeperapi.Ack
	items    map[string]item
}

// item is one knob that keepers have spoken about.
type item struct {
	want   chain  // what they say
	force  chain  // what is obeyed: want, unless there is a reason
	reason string // why not want: DriftGuard, DriftSilent, DriftCrash or DriftNacked
	why    string // the sentence to it
	local  bool   // somebody has set the knob on the node itself; left alone
	// young is when an update changed the value, zero once the process has
	// lived with it for long enough.
	young time.Time
}

// itsOwn tells whether the keepers say nothing about the knob any more.
func (it *item) itsOwn() bool {
	return it.want.held == nil && it.force.held == nil && it.reason == ""
}

func (b book) clone() book {
	b.items = maps.Clone(b.items)
	if b.items == nil {
		b.items = map[string]item{}
	}
	return b
}

// merge returns the book with an update in it, as if everything in it could be
// taken. What is given up stays so while the keepers say the same revision.
func (b book) merge(u keeperapi.Update, at time.Time) book {
	next := b.clone()
	if b.foreign(u) { // all that was counted is void
		for name := range b.items {
			next.items[name] = item{}
		}
	}
	next.revision, next.position = u.Revision, u.Position
	if u.Cluster != "" {
		next.cluster = u.Cluster
	}
	now := clock{u.Now, at}
	for name, h := range u.Knobs {
		old, known := next.items[name]
		next.items[name] = old.told(chainOf(h, u.Revision, now), known)
	}
	for name, it := range next.items {
		if _, named := u.Knobs[name]; u.Full && !named {
			// Nothing says when it was taken away: an item that was away
			// already is still away since then.
			gone := chain{revision: u.Revision}
			if it.want.held == nil && it.want.revision != 0 {
				gone = it.want
			}
			it = it.told(gone, true)
		}
		if it.reason == keeperapi.DriftNacked {
			it = item{want: it.want, force: it.want, young: it.young} // perhaps it fits now
		}
		next.items[name] = it
	}
	return next
}

// foreign tells whether an update is of keepers that count otherwise: recovered
// ones, from an older state, or others.
func (b *book) foreign(u keeperapi.Update) bool {
	return u.Full && (u.Revision < b.revision || b.cluster != "" && u.Cluster != "" && b.cluster != u.Cluster)
}

// told returns the item after the keepers have said what it must be.
func (it item) told(want chain, known bool) item {
	same := known && it.want.revision == want.revision && (it.want.held == nil) == (want.held == nil)
	switch {
	case same && it.reason == keeperapi.DriftGuard:
		it.want, it.force = want, want.instead()
	case same && it.reason == keeperapi.DriftCrash:
		it.want = want
	case same && it.local && it.reason == "":
		it.want, it.force = want, want
	default:
		it = item{want: want, force: want, young: it.young}
	}
	return it
}

// refuse keeps what old had for these knobs.
func (b *book) refuse(names []string, why string, old book) {
	for _, name := range names {
		before := old.items[name]
		b.items[name] = item{want: b.items[name].want, force: before.force, local: before.local,
			young: before.young, reason: keeperapi.DriftNacked, why: why}
	}
}

// giveUp leaves a knob's value for what would be held without it.
func (b *book) giveUp(name, reason, why string) {
	it := b.items[name]
	it.force = it.force.instead()
	if it.reason != keeperapi.DriftNacked { // else it is the one before that is given up
		it.reason, it.why = reason, why
	}
	b.items[name] = it
}

// advance ends reasons whose value is over by itself, and tells whether there
// was one.
func (b *book) advance(now time.Time) (moved bool) {
	for name, it := range b.items {
		if it.reason != "" && len(it.want.ends) > 0 && !now.Before(it.want.ends[0]) {
			b.items[name] = item{want: it.want, force: it.want, local: it.local, young: it.young}
			moved = true
		}
	}
	return moved
}

// next returns when something follows by itself, zero for never.
func (b *book) next(now time.Time) (at time.Time) {
	for _, it := range b.items {
		for _, t := range [...]time.Time{it.force.next(now), it.want.next(now)} {
			if !t.IsZero() && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
	}
	return at
}

// acknowledge works out the answer to the keepers. What is newly refused, or
// as new as the update itself, holds back the revision that counts as applied.
func (b *book) acknowledge(old book) {
	ack := keeperapi.Ack{Offered: b.revision, Applied: b.revision}
	for name, it := range b.items {
		if it.reason != keeperapi.DriftNacked && it.reason != keeperapi.DriftCrash {
			continue
		}
		if r := it.want.revision; r > ack.Nacked || r == ack.Nacked && it.why < ack.Reason {
			ack.Nacked, ack.Reason = r, it.why
		}
		before := old.items[name]
		news := before.reason != it.reason || before.want.revision != it.want.revision
		if (news || it.want.revision >= b.revision) && it.want.revision > 0 {
			ack.Applied = min(ack.Applied, b.ack.Applied, it.want.revision-1)
		}
	}
	b.ack = ack
}
