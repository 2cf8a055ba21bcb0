package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Member is one entry of the configuration.
type Member struct {
	ID, Address string
	Voter       bool // others only receive; the leader promotes them once they keep up
	Leader      bool
	// Health is known on the leader only.
	Health Health
}

// Members returns the configuration as this member knows it. On a member that
// is cut off it may be old.
func (s *Store) Members() []Member {
	leader, _ := s.Leader()
	health := s.pilot.health()
	var out []Member
	for _, m := range s.raft.GetConfiguration().Configuration().Servers {
		id := string(m.ID)
		out = append(out, Member{
			ID: id, Address: string(m.Address), Voter: m.Suffrage == raft.Voter,
			Leader: id == leader, Health: health[id],
		})
	}
	return out
}

func (s *Store) member(id string) (Member, bool) {
	for _, m := range s.raft.GetConfiguration().Configuration().Servers {
		if string(m.ID) == id {
			return Member{ID: id, Address: string(m.Address), Voter: m.Suffrage == raft.Voter}, true
		}
	}
	return Member{}, false
}

func (s *Store) otherVoters() int {
	n := 0
	for _, m := range s.raft.GetConfiguration().Configuration().Servers {
		if m.Suffrage == raft.Voter && string(m.ID) != s.cfg.ID {
			n++
		}
	}
	return n
}

// letIn makes the caller a member without vote, on the leader.
func (s *Store) letIn(ctx context.Context, c call) error {
	switch {
	case s.raft.State() != raft.Leader:
		return s.notLeader()
	case c.ID == "" || len(c.ID) > idMax || c.Address == "":
		return errors.New("a member needs an id and an address")
	case c.Cluster != "" && c.Cluster != s.ident.cluster() && !c.Fresh:
		return errors.New("that state belongs to another cluster; join with an empty state directory")
	}
	known := s.raft.GetConfiguration().Configuration().Servers
	for _, m := range known {
		if string(m.ID) != c.ID && string(m.Address) == c.Address {
			return fmt.Errorf("member %s is at %s already; remove it first", m.ID, c.Address)
		}
	}
	old, in := s.member(c.ID)
	if !in && len(known) >= membersMax {
		return fmt.Errorf("the cluster has %d members, which is the most", membersMax)
	}
	forgot := in && old.Voter && c.Fresh && c.Cluster != s.ident.cluster()
	if forgot { // and for whom it voted, too: out, then in again without vote
		s.log.Warn("voter came back without its state, it starts again without vote", "id", c.ID)
		if err := s.Remove(ctx, c.ID); err != nil {
			return err
		}
	}
	if in && old.Address == c.Address && !forgot {
		return nil
	}
	if in && !forgot {
		return s.move(ctx, old, c.Address)
	}
	f := s.raft.AddNonvoter(raft.ServerID(c.ID), raft.ServerAddress(c.Address), 0, untilEnd(ctx))
	return s.callError(s.await(ctx, f))
}

// move notes a member's new address by taking it out and in again: raft 1.7.3
// reads an address that changes in place without a lock.
func (s *Store) move(ctx context.Context, m Member, address string) error {
	if err := s.Remove(ctx, m.ID); err != nil {
		return err
	}
	add := s.raft.AddNonvoter
	if m.Voter {
		add = s.raft.AddVoter // it knows for whom it voted
	}
	return s.callError(s.await(ctx, add(raft.ServerID(m.ID), raft.ServerAddress(address), 0, untilEnd(ctx))))
}

// promote gives a member its vote.
func (s *Store) promote(ctx context.Context, id string) error {
	m, ok := s.member(id)
	if !ok {
		return fmt.Errorf("no member %q", id)
	}
	f := s.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(m.Address), 0, untilEnd(ctx))
	return s.callError(s.await(ctx, f))
}

// Remove takes a member out of the configuration, on the leader. A leader that
// is asked to remove itself hands over and returns ErrNotLeader: the next one
// can do it. The last voter cannot be removed.
func (s *Store) Remove(ctx context.Context, id string) error {
	if s.raft.State() != raft.Leader {
		return s.notLeader()
	}
	_, ok := s.member(id)
	switch {
	case !ok:
		return fmt.Errorf("no member %q", id)
	case id == s.cfg.ID && s.otherVoters() == 0:
		return fmt.Errorf("%s is the last voter and cannot be removed", id)
	case id == s.cfg.ID:
		if err := s.Transfer(ctx, ""); err != nil {
			return fmt.Errorf("hand over before the removal: %w", err)
		}
		return s.notLeader()
	}
	return s.callError(s.await(ctx, s.raft.RemoveServer(raft.ServerID(id), 0, untilEnd(ctx))))
}

// Transfer hands the leadership to the voter id, or with "" to the one that is
// furthest, and returns when this member sees the new leader. Commands that
// come meanwhile are refused with ErrNotLeader; those on their way are
// committed first.
func (s *Store) Transfer(ctx context.Context, id string) error {
	s.transfers.Lock()
	defer s.transfers.Unlock()
	if s.raft.State() != raft.Leader {
		return s.notLeader()
	}
	if id == s.cfg.ID {
		return nil
	}
	start := func() raft.Future { return s.raft.LeadershipTransfer() }
	if id != "" {
		m, ok := s.member(id)
		if !ok || !m.Voter {
			return fmt.Errorf("no voter %q", id)
		}
		start = func() raft.Future {
			return s.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(m.Address))
		}
	}
	if err := s.await(ctx, start()); err != nil {
		return fmt.Errorf("hand over the leadership: %w", err)
	}
	return s.awaitSuccessor(ctx)
}

// awaitSuccessor gives the new leader an election timeout to say so.
func (s *Store) awaitSuccessor(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.Timing.Election+time.Second)
	defer cancel()
	for {
		l, changed := s.Leadership()
		if l.ID != "" && l.ID != s.cfg.ID {
			return nil
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return ErrShutdown
		case <-ctx.Done():
			return fmt.Errorf("hand over the leadership: no successor: %w", ctx.Err())
		}
	}
}

// configured notes that this member is in a committed configuration.
func (s *Store) configured(c raft.Configuration) {
	for _, m := range c.Servers {
		if string(m.ID) == s.cfg.ID && !s.ident.get().Joined {
			if err := s.ident.change(func(d *identityData) { d.Joined = true }); err != nil {
				s.log.Error("note that this member has joined", "err", err)
			}
		}
	}
}
