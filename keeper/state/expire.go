package state

import (
	"cmp"
	"maps"
	"slices"

	"pushfleet/internal/keeperapi"
)

// expire ends everything whose time is over at the command's time: values and
// rollouts in the order of their deadlines, then nodes and tokens by name.
func (s *State) expire(t *turn) (r keeperapi.Result) {
	for _, p := range s.overdue(t.At) {
		s.change(t, keeperapi.KindExpired, p, stillAt(s.at(p), t.At))
		r.Changed++
	}
	for _, ro := range slices.Clone(s.running) {
		if ro.Deadline != 0 && ro.Deadline <= t.At {
			s.endRollout(t, ro, keeperapi.PhaseExpired, "", "its time was over")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.nodes)) {
		s.expireNode(t, s.nodes[id])
	}
	for _, name := range slices.Sorted(maps.Keys(s.tokens)) {
		if tok := s.tokens[name]; tok.Expires != 0 && tok.Expires <= t.At {
			s.dropToken(t, tok)
		}
	}
	return r
}

// overdue returns the places whose value ends, the earliest deadline first.
func (s *State) overdue(at keeperapi.Time) []place {
	var over []place
	for p, deadline := range s.ending {
		if deadline <= at {
			over = append(over, p)
		}
	}
	slices.SortFunc(over, func(a, b place) int {
		return cmp.Or(cmp.Compare(s.ending[a], s.ending[b]), cmp.Compare(a.knob, b.knob), cmp.Compare(a.scope, b.scope))
	})
	return over
}

func (s *State) expireNode(t *turn, n *keeperapi.Node) {
	if t.At < n.Lease {
		return
	}
	if n.DeadFor(t.At) > s.limits.ForgetMS {
		s.dropNode(n)
		t.tell(keeperapi.Event{Kind: keeperapi.KindNodeLeft, Node: n.ID, Value: "dead for too long"})
		return
	}
	if !n.Dead {
		dead := *n
		dead.Dead = true
		s.nodes[n.ID] = &dead
		t.tell(keeperapi.Event{Kind: keeperapi.KindNodeDead, Node: n.ID})
	}
}

// NextDeadline returns when the leader should next apply OpExpire; 0 for never.
// It may lie in the past.
func (s *State) NextDeadline() keeperapi.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var next keeperapi.Time
	earlier := func(at keeperapi.Time) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	for _, deadline := range s.ending {
		earlier(deadline)
	}
	for _, r := range s.running {
		earlier(r.Deadline)
	}
	for _, n := range s.nodes {
		if n.Dead {
			earlier(n.Lease + keeperapi.Time(s.limits.ForgetMS) + 1)
		} else {
			earlier(n.Lease)
		}
	}
	for _, tok := range s.tokens {
		earlier(tok.Expires)
	}
	return next
}
