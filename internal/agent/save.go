package agent

import (
	"fmt"
	"time"
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
