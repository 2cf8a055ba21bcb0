package state

import "pushfleet/internal/keeperapi"

func (s *State) judgeLimits(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.Limits](c)
	if no != nil {
		return nil, no
	}
	for _, n := range []int{b.History, b.Audit, b.IDs, b.Events, b.Rollouts, b.Nodes, b.Values, b.Tokens} {
		if n < 1 || n > 10_000_000 {
			return nil, refuse(keeperapi.CodeRange, "a limit of %d makes no sense: give each 1 to 10000000", n)
		}
	}
	if b.ForgetMS < 1000 || b.ForgetMS > forMax {
		return nil, refuse(keeperapi.CodeRange, "forgetting nodes after %d ms makes no sense: give 1 s to 10 years", b.ForgetMS)
	}
	return func(t *turn) keeperapi.Result {
		t.what = "set limits"
		s.limits = *b
		s.trim()
		t.tell(keeperapi.Event{Kind: keeperapi.KindLimits})
		return keeperapi.Result{}
	}, nil
}

// trim makes what is remembered fit the limits. Nodes, values and tokens above
// theirs stay; no more are taken.
func (s *State) trim() {
	for _, h := range s.history {
		h.trim(s.limits.History)
	}
	s.audit = keepLast(s.audit, s.limits.Audit)
	s.forgetAnswers()
	s.forgetRollouts()
	s.ring.trim(s.limits.Events)
}

// Limits returns the bounds in force.
func (s *State) Limits() keeperapi.Limits {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.limits
}
