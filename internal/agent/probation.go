package agent

import (
	"fmt"
	"time"

	"pushfleet/internal/keeperapi"
)

// onProbation tells whether a value is young.
func (b *book) onProbation() bool {
	for _, it := range b.items {
		if !it.young.IsZero() {
			return true
		}
	}
	return false
}

// prove takes values off probation that came into force by then, and tells
// whether there was one.
func (b *book) prove(then time.Time) (proved bool) {
	for name, it := range b.items {
		if !it.young.IsZero() && !it.young.After(then) {
			it.young = time.Time{}
			b.items[name] = it
			proved = true
		}
	}
	return proved
}

// welcomeBack takes values off probation that are what the process has survived
// already, as after a temporary one.
func (b *book) welcomeBack(proven book) {
	for name, it := range b.items {
		old := proven.items[name]
		same := it.itsOwn() && old.itsOwn() || it.reason == "" && old.reason == "" &&
			it.want.held != nil && old.want.held != nil && it.want.revision == old.want.revision
		if same && !it.young.IsZero() {
			it.young = time.Time{}
			b.items[name] = it
		}
	}
}

// outlive takes values off probation that are over by themselves.
func (b *book) outlive(now time.Time) {
	for name, it := range b.items {
		if it.reason == "" && !it.want.at(now).first {
			it.young = time.Time{}
			b.items[name] = it
		}
	}
}

// survived is the book with what before had in place of the young.
func (b book) survived(before book) book {
	out := b.clone()
	for name, it := range b.items {
		if it.young.IsZero() {
			continue
		}
		delete(out.items, name)
		if old, ok := before.items[name]; ok {
			out.items[name] = old
		}
	}
	out.position = 0 // what is left out would not come again
	return out
}

// newest returns the revision and the time of the latest of the young, and the
// revision up to which nothing is young.
func (b *book) newest() (revision uint64, at time.Time, below uint64) {
	below = b.ack.Applied
	for _, it := range b.items {
		if it.young.IsZero() {
			continue
		}
		revision = max(revision, it.want.revision)
		below = min(below, max(it.want.revision, 1)-1)
		if it.young.After(at) {
			at = it.young
		}
	}
	return revision, at, below
}

// proveBook ends the probation of what the process has lived with.
func (a *Agent) proveBook(now time.Time) {
	if !a.book.onProbation() {
		return
	}
	a.disk.touch(fileNewest, now)
	if a.book.prove(now.Add(-a.cfg.Probation)) {
		a.proved, a.unsaved = true, true
	}
}

// afterCrash is the newest generation without what was young when the process
// died: there the one before holds, and what the keepers say is not taken again
// until they say another revision.
func (a *Agent) afterCrash(newest, before *book, touched time.Time) book {
	if before == nil {
		a.lastGood = ""
		before = &book{}
	}
	last, at, below := newest.newest()
	why := fmt.Sprintf("died %s applying r%d, came back on %s", lifeAfter(at, touched), last, before.name(below))
	next := newest.clone()
	next.position = 0
	for name, it := range newest.items {
		switch {
		case it.young.IsZero():
		case it.reason == keeperapi.DriftNacked: // the young one was the one before
			next.items[name] = item{want: it.want, force: before.items[name].force, reason: it.reason, why: it.why}
		default:
			next.items[name] = item{want: it.want, force: before.items[name].force, reason: keeperapi.DriftCrash, why: why}
		}
	}
	next.ack = keeperapi.Ack{Offered: newest.revision, Applied: below, Nacked: last, Reason: why}
	a.cfg.Log.Error("the process died soon after a change and starts without it", "reason", why)
	return next
}

// name says what the generation before is called, up to a revision.
func (b *book) name(below uint64) string {
	for _, it := range b.items {
		if it.force.held != nil {
			return fmt.Sprintf("r%d", below)
		}
	}
	return "its own defaults"
}

// lifeAfter says how long the process lived after it had applied values; it
// touched its file for as long.
func lifeAfter(applied, touched time.Time) string {
	lived := touched.Sub(applied).Round(time.Second)
	if applied.IsZero() || lived < time.Second || lived > time.Hour {
		return "right after"
	}
	return lived.String() + " after"
}
