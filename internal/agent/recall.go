package agent

import (
	"errors"
	"os"
	"time"

	"pushfleet/internal/keeperapi"
)

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
