package store

import (
	"context"

	"github.com/hashicorp/raft"
)

// Role is what a member is at the moment.
type Role string

const (
	Follower  Role = "follower"
	Candidate Role = "candidate"
	Leader    Role = "leader"
	Stopped   Role = "stopped"
)

// Leadership says who leads, as far as this member knows.
type Leadership struct {
	ID, Address string // empty: nobody known
	Self        bool   // this member leads and knows it
	Term        uint64
}

// State returns the role of this member.
func (s *Store) State() Role {
	switch s.raft.State() {
	case raft.Leader:
		return Leader
	case raft.Candidate:
		return Candidate
	case raft.Follower:
		return Follower
	}
	return Stopped
}

// Leader returns the leader that this member knows; both are empty without one.
func (s *Store) Leader() (id, address string) {
	a, i := s.raft.LeaderWithID()
	return string(i), string(a)
}

// Leadership returns who leads and a channel that is closed when that changes.
// Changes that follow each other quickly may be seen as one.
func (s *Store) Leadership() (Leadership, <-chan struct{}) { return s.lead.get() }

// watchLeader keeps s.lead. An observation only says that something changed, so
// that one may be dropped when another waits.
func (s *Store) watchLeader() {
	events := make(chan raft.Observation, 1)
	o := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	s.raft.RegisterObserver(o)
	s.spawn(func(ctx context.Context) {
		defer s.raft.DeregisterObserver(o)
		for {
			s.noteLeader()
			select {
			case <-events:
			case <-ctx.Done():
				return
			}
		}
	})
}

func (s *Store) noteLeader() {
	before, _ := s.lead.get()
	l := Leadership{Self: s.raft.State() == raft.Leader, Term: s.raft.CurrentTerm()}
	l.ID, l.Address = s.Leader()
	if !s.lead.set(l) {
		return
	}
	if l.Self && (!before.Self || before.Term != l.Term) {
		s.elections.Add(1)
	}
	if l.ID != before.ID {
		s.log.Info("leader", "id", l.ID, "address", l.Address, "term", l.Term)
	}
}
