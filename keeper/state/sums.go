package state

import "pushfleet/internal/keeperapi"

// Sums are the state in numbers, for metrics. A time is 0 where there is
// nothing that it could be of.
type Sums struct {
	Values map[keeperapi.Layer]int // by layer, but for canaries, whose values are the rollouts'
	// NodeValue is when the oldest value was set that holds for one node only
	// and has no deadline: what somebody tried and may have forgotten.
	NodeValue keeperapi.Time
	Temporary int // values with a deadline
	Freezes   int
	Tokens    int
	Rollouts  int            // running
	Rollout   keeperapi.Time // when the oldest of them was started
	// Soaked is the earliest time from which a running rollout could have gone
	// on to its next step.
	Soaked keeperapi.Time
}

// Sums looks at all values once; it copies none.
func (s *State) Sums() Sums {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sums := Sums{Values: map[keeperapi.Layer]int{}, Temporary: len(s.ending), Freezes: len(s.freezes),
		Tokens: len(s.tokens), Rollouts: len(s.running)}
	for scope, values := range s.scopes {
		layer := scope.Layer()
		sums.Values[layer] += len(values)
		if layer != keeperapi.LayerNode {
			continue
		}
		for _, v := range values {
			if v.Deadline == 0 {
				sums.NodeValue = earliest(sums.NodeValue, v.At)
			}
		}
	}
	for _, r := range s.running {
		sums.Rollout = earliest(sums.Rollout, r.Started)
		sums.Soaked = earliest(sums.Soaked, r.SoakedAt())
	}
	return sums
}

// earliest of two times, of which the first may not be there yet.
func earliest(a, b keeperapi.Time) keeperapi.Time {
	if a == 0 {
		return b
	}
	return min(a, b)
}
