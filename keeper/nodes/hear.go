package nodes

import (
	"maps"
	"time"

	"pushfleet/internal/keeperapi"
)

// acked takes the node's answer to what it was sent. A node answers frame by
// frame, so an answer to the last frame says that it holds that revision. That
// it has applied a change is written with its next sign of life: the leader
// knows it here, and the next leader hears it from the node. A refusal is an
// event that people watch for.
func (s *session) acked(a *keeperapi.Ack) {
	s.mu.Lock()
	s.ack = *a
	far := a.Applied
	var no *keeperapi.Refusal
	switch {
	case a.Nacked > a.Applied:
		s.pending = s.pending && a.Nacked < s.sent
		far, no = a.Nacked, &keeperapi.Refusal{Node: s.join.ID, Reason: a.Reason}
	case a.Applied >= s.sent:
		s.pending = false
		s.held = max(a.Applied, s.through)
		far = s.held
	}
	s.urgent = s.urgent || no != nil
	s.mu.Unlock()
	select {
	case s.answered <- struct{}{}:
	default:
	}
	s.desk.progress(s, far, no)
	if no != nil {
		s.desk.wake()
	}
}

func (s *session) beaten(b *keeperapi.Beat) {
	s.mu.Lock()
	urgent := s.beat == nil || b.Health != s.beat.Health
	s.beat = b
	s.urgent = s.urgent || urgent
	s.mu.Unlock()
	if urgent {
		s.desk.wake()
	}
}

// due returns what to write of this node into the state, nil for nothing yet.
func (s *session) due(now time.Time, t Timing) *keeperapi.NodeReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.urgent && now.Sub(s.renewed) < t.Renew || now.Sub(s.heard) > 3*t.Beat {
		return nil
	}
	s.urgent, s.renewed = false, now
	ack := s.ack
	ack.Offered, ack.Applied = max(ack.Offered, s.sent), max(ack.Applied, s.held)
	r := &keeperapi.NodeReport{ID: s.join.ID, Epoch: s.join.Epoch, LeaseMS: t.Lease.Milliseconds(), Knobs: &ack}
	if s.beat != nil {
		r.Health, r.Load = s.beat.Health, maps.Clone(s.beat.Load)
	}
	return r
}

// again makes the next round report the node once more.
func (s *session) again() {
	s.mu.Lock()
	s.renewed, s.urgent = time.Time{}, true
	s.mu.Unlock()
}
