package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
)

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
