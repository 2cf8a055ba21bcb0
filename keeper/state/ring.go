package state

import (
	"sort"

	"pushfleet/internal/keeperapi"
)

// ring holds the latest events for watchers that resume. It is not in the
// snapshot: a member that was restored sends its watchers a whole state once.
type ring struct {
	events []keeperapi.Event // by revision
	floor  uint64            // events of this revision and before may be missing
}

// add appends one command's events and forgets the oldest, a whole revision at
// a time, so that nobody sees half a transaction.
func (r *ring) add(events []keeperapi.Event, limit int) {
	r.events = append(r.events, events...)
	r.trim(limit)
}

func (r *ring) trim(limit int) {
	over := len(r.events) - limit
	if over <= 0 {
		return
	}
	r.floor = r.events[over-1].Revision
	cut := sort.Search(len(r.events), func(i int) bool { return r.events[i].Revision > r.floor })
	r.events = keepLast(r.events, len(r.events)-cut)
}

// Since returns the events after a revision, oldest first. ok is false when
// some of them are forgotten, or the revision is yet to come (the watcher saw
// a future that was lost): then start from a whole state.
func (s *State) Since(revision uint64) (events []keeperapi.Event, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if revision < s.ring.floor || revision > s.revision {
		return nil, false
	}
	all := s.ring.events
	from := sort.Search(len(all), func(i int) bool { return all[i].Revision > revision })
	return append([]keeperapi.Event(nil), all[from:]...), true
}
