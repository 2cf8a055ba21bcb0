package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ErrNotLeader says that another member leads. Nothing was changed: the call
// may be repeated there.
type ErrNotLeader struct {
	ID, Address string // of the leader; empty while there is none
}

func (e ErrNotLeader) Error() string {
	if e.ID == "" {
		return "no leader at the moment; try again"
	}
	return fmt.Sprintf("not the leader, which is %s at %s", e.ID, e.Address)
}

var (
	// ErrOutcomeUnknown is in every error after which the command may have
	// been committed, or may still be. Commands that must not be executed
	// twice need a key by which the machine knows them again.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrTimeout: the context ended while the command was on its way.
	ErrTimeout = fmt.Errorf("timed out, %w", ErrOutcomeUnknown)
	// ErrLeadershipLost: this member stopped leading before it knew whether the
	// command was committed.
	ErrLeadershipLost = fmt.Errorf("lost the leadership, %w", ErrOutcomeUnknown)
	// ErrShutdown: the member is closing. The outcome of commands that were on
	// their way is unknown; their error says so too.
	ErrShutdown = errors.New("the member is stopping")
	// ErrBusy: Config.InflightMax commands are on their way. Nothing changed.
	ErrBusy = errors.New("too many commands on their way; try again")
)

// applyError turns what raft says of a command into our errors. An error that
// we do not know leaves the outcome open.
func (s *Store) applyError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return s.notLeader()
	case errors.Is(err, raft.ErrLeadershipLost):
		return ErrLeadershipLost
	case errors.Is(err, raft.ErrRaftShutdown):
		return fmt.Errorf("%w, %w", ErrShutdown, ErrOutcomeUnknown)
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
}

// callError is applyError for calls that can be repeated without harm.
func (s *Store) callError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrLeadershipLost):
		return s.notLeader()
	case errors.Is(err, raft.ErrRaftShutdown):
		return ErrShutdown
	}
	return err
}

// notLeader names the leader, unless that is this member, which then is just
// coming or going.
func (s *Store) notLeader() error {
	address, id := s.raft.LeaderWithID()
	if string(id) == s.cfg.ID {
		return ErrNotLeader{}
	}
	return ErrNotLeader{string(id), string(address)}
}

// await waits for a raft future no longer than ctx and this member last: raft
// does not answer all futures when it shuts down.
func (s *Store) await(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }() // ends when raft answers, at the latest with the process
	select {
	case err := <-done:
		return err
	case <-s.ctx.Done():
		return ErrShutdown
	case <-ctx.Done():
		return ctx.Err()
	}
}
