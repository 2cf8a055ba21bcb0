package agent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"pushfleet/internal/keeperapi"
)

// save writes the book. While it is on probation the generation before stays;
// else both are the book, so that a damaged one costs nothing.
func (a *Agent) save(now time.Time) error {
	a.unsaved = false
	if a.disk == nil {
		return nil
	}
	text, err := encode(&a.book, a.cfg.ID, now)
	if err == nil {
		err = a.disk.write(fileNewest, text)
	}
	if err == nil && !a.book.probation {
		err = a.disk.write(fileBefore, text)
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

// proveBook ends the probation once the process has lived with the values.
func (a *Agent) proveBook(now time.Time) {
	switch {
	case !a.book.probation:
	case now.Sub(a.book.at) < a.cfg.Probation:
		a.disk.touch(fileNewest, now)
	default:
		a.book.probation = false
		a.unsaved = true
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
	var next book
	switch {
	case newest == nil && before == nil:
		return
	case newest == nil:
		a.lastGood, next = fileBefore, before.clone()
		next.position = 0 // something newer may have been lost
	case newest.probation:
		a.lastGood, next = fileBefore, a.afterCrash(newest, before, touched)
	default:
		a.lastGood, next = fileNewest, newest.clone()
	}
	ack := next.ack
	a.book = book{revision: next.revision}.clone()
	a.takeStored(next, ack, now)
	a.sayBroken()
}

// takeStored puts a book from disk in force. What this build refuses of it is
// refused now, like any update's.
func (a *Agent) takeStored(next book, ack keeperapi.Ack, now time.Time) {
	old := a.book
	next.advance(now)
	taken := a.judge(&next, old, a.candidates(&next, now))
	next.ack = ack
	a.book = next
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

// afterCrash is the generation before, for a process that died on probation.
// What it does not have of the newest is not taken again until the keepers say
// another revision.
func (a *Agent) afterCrash(newest, before *book, touched time.Time) book {
	if before == nil {
		a.lastGood = ""
		before = &book{}
	}
	why := fmt.Sprintf("died %s applying r%d, came back on %s", lifeAfter(newest.at, touched), newest.revision, before.name())
	next := before.clone()
	next.revision, next.position, next.probation = newest.revision, 0, false
	for name, it := range newest.items {
		next.blame(name, it, why)
	}
	for name := range before.items {
		if _, still := newest.items[name]; !still {
			next.blame(name, item{want: chain{revision: newest.revision}}, why)
		}
	}
	next.ack = keeperapi.Ack{Offered: newest.revision, Applied: before.ack.Applied, Nacked: newest.revision, Reason: why}
	a.cfg.Log.Error("the process died soon after a change and starts without it", "reason", why)
	return next
}

// blame bars what the newest generation had in force of a knob, if it is other
// than what this one has. What the newest had given up or refused stays so.
func (b *book) blame(name string, newest item, why string) {
	it := b.items[name]
	same := it.want.held == nil && newest.want.held == nil ||
		it.want.held != nil && newest.want.held != nil && it.want.revision == newest.want.revision
	switch {
	case same && newest.reason == "":
	case same:
		b.items[name] = newest
	case newest.reason == keeperapi.DriftNacked:
		b.items[name] = item{want: newest.want, force: it.force, reason: newest.reason, why: newest.why}
	default:
		b.items[name] = item{want: newest.want, force: it.force, reason: keeperapi.DriftCrash, why: why}
	}
}

// name says which revision a generation is.
func (b *book) name() string {
	if b.ack.Applied == 0 {
		return "its own defaults"
	}
	return fmt.Sprintf("r%d", b.ack.Applied)
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
