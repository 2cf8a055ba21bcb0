package agent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"pushfleet/internal/keeperapi"
)

// save writes the book, and as the generation before what the process has
// survived of it: with nothing young that is the same, so that a damaged file
// costs nothing.
func (a *Agent) save(now time.Time) error {
	a.unsaved = false
	if a.disk == nil {
		return nil
	}
	err := a.write(fileNewest, &a.book, now)
	if err == nil && (a.proved || !a.book.onProbation()) {
		proven := a.book.survived(a.proven)
		if !a.book.onProbation() {
			proven = a.book.clone()
		}
		if err = a.write(fileBefore, &proven, now); err == nil {
			a.proven, a.proved = proven, false
		}
	}
	if err == nil {
		a.saveAt = time.Time{}
		return nil
	}
	err = fmt.Errorf("the last known good cannot be written: %w: make room and look whose the folder is", err)
	if a.saveAt.IsZero() { // once per trouble
		a.cfg.Log.Error("a change would not survive a restart", "err", err)
	}
	a.unsaved, a.saveAt = true, now.Add(retryEvery)
	return err
}

func (a *Agent) write(name string, b *book, now time.Time) error {
	text, err := encode(b, a.cfg.ID, now)
	if err != nil {
		return err
	}
	return a.disk.write(name, text)
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

// recall finds the last known good and puts it in force.
func (a *Agent) recall(now time.Time) {
	a.look()
	if a.disk == nil {
		return
	}
	newest, touched := a.load(fileNewest, now)
	before, _ := a.load(fileBefore, now)
	if newest != nil {
		newest.outlive(now)
	}
	var next book
	switch {
	case newest == nil && before == nil:
		return
	case newest == nil:
		a.lastGood, next = fileBefore, before.clone()
		next.position = 0 // something newer may have been lost
	case newest.onProbation():
		a.lastGood, next = fileBefore, a.afterCrash(newest, before, touched)
	default:
		a.lastGood, next = fileNewest, newest.clone()
	}
	a.takeStored(next, now)
	a.sayBroken()
}

// takeStored puts a book from disk in force. What this build refuses of it is
// refused now, like any update's.
func (a *Agent) takeStored(next book, now time.Time) {
	next.advance(now)
	taken := a.judge(&next, a.book, a.candidates(&next, now))
	a.book = next
	for name, it := range next.items {
		if it.reason == keeperapi.DriftNacked {
			a.cfg.Log.Warn("a value of the last known good is not in force", "knob", name, "reason", it.why)
		}
	}
	if err := a.apply(taken); err != nil {
		a.cfg.Log.Error("the last known good cannot be put in force", "err", err)
	}
	a.cfg.Log.Info("last known good in force", "file", a.lastGood, "revision", next.ack.Applied, "knobs", len(taken))
	a.unsaved = true
	_ = a.save(now) // logged, and tried again
}

// load reads one generation, nil if there is none that can be used.
func (a *Agent) load(name string, now time.Time) (*book, time.Time) {
	text, touched, err := a.disk.read(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, touched
	}
	var b book
	if err == nil {
		b, err = decode(text, a.cfg.ID, now)
	}
	if err != nil {
		a.cfg.Log.Error("a last known good cannot be used", "file", name, "err", err)
		return nil, touched
	}
	return &b, touched
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
