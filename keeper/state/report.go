package state

import "pushfleet/internal/keeperapi"

// judgeReport renews leases of many nodes. A node that is not known, has
// started anew or writes nonsense is named in the result and must join; the
// others count, so that one bad node cannot make all of a batch look dead.
func (s *State) judgeReport(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.Report](c)
	if no != nil {
		return nil, no
	}
	if len(b.Nodes) == 0 || len(b.Nodes) > 10_000 {
		return nil, refuse(keeperapi.CodeTooMany, "a report has 1 to 10000 nodes, not %d: split it", len(b.Nodes))
	}
	return func(t *turn) (r keeperapi.Result) {
		for i := range b.Nodes {
			if !s.report(t, &b.Nodes[i]) {
				r.Unknown = append(r.Unknown, shortened(b.Nodes[i].ID))
			}
		}
		return r
	}, nil
}

// sensible bounds a report. A node that acknowledges a revision to come follows
// keepers that were lost.
func sensible(n *keeperapi.NodeReport, revision uint64) bool {
	if judgeLease(n.ID, n.LeaseMS) != nil || len(n.Health) > 256 || len(n.Load) > 32 {
		return false
	}
	for name := range n.Load {
		if !named(name, 64) {
			return false
		}
	}
	k := n.Knobs
	return k == nil || max(k.Offered, k.Applied, k.Nacked) <= revision && len(k.Reason) <= 1024
}

// report takes one node's sign of life; false if it must join first. Events
// are told only of what people watch for, not of every heartbeat.
func (s *State) report(t *turn, b *keeperapi.NodeReport) bool {
	old := s.nodes[b.ID]
	if old == nil || old.Epoch != b.Epoch || !sensible(b, s.revision) {
		return false
	}
	n := *old
	n.Seen, n.Lease, n.Dead = t.At, t.At+keeperapi.Time(b.LeaseMS), false
	if old.Dead {
		t.tell(keeperapi.Event{Kind: keeperapi.KindNodeAlive, Node: n.ID})
	}
	if b.Health != "" && b.Health != n.Health {
		t.tell(keeperapi.Event{Kind: keeperapi.KindNodeHealth, Node: n.ID, Old: n.Health, Value: b.Health})
		n.Health = b.Health
	}
	if len(b.Load) > 0 {
		n.Load = b.Load
	}
	if b.Knobs != nil {
		n.Knobs = *b.Knobs
		if n.Knobs.Nacked != 0 && n.Knobs.Nacked != old.Knobs.Nacked {
			t.tell(keeperapi.Event{Kind: keeperapi.KindNodeNacked, Node: n.ID, Value: n.Knobs.Reason})
		}
	}
	s.nodes[n.ID] = &n
	return true
}
