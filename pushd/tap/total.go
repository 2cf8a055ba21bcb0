package tap

import (
	"maps"

	"pushfleet/internal/pushdapi"
)

// Total returns the books of all tees since the tap was made: what counts up,
// and nothing else.
func (t *Tap) Total() pushdapi.Tap {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.ended
	all.Seen, all.Sent, all.Dropped, all.DroppedBy = maps.Clone(all.Seen), maps.Clone(all.Sent), maps.Clone(all.Dropped), maps.Clone(all.DroppedBy)
	if t.busy {
		addUp(&all, t.status())
	}
	return all
}

// addUp adds the books of a tee.
func addUp(all *pushdapi.Tap, s pushdapi.Tap) {
	all.Joined += s.Joined
	all.Torn += s.Torn
	all.Bytes += s.Bytes
	all.CPUSeconds += s.CPUSeconds
	for _, of := range []struct {
		all *map[string]uint64
		one map[string]uint64
	}{{&all.Seen, s.Seen}, {&all.Sent, s.Sent}, {&all.Dropped, s.Dropped}, {&all.DroppedBy, s.DroppedBy}} {
		if *of.all == nil {
			*of.all = map[string]uint64{}
		}
		for word, n := range of.one {
			(*of.all)[word] += n
		}
	}
}
