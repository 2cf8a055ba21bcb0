package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Apply commits cmd and returns its index and what the machine answered, once
// this member has executed it. Only the leader can: others return ErrNotLeader,
// which names the leader. After an error with ErrOutcomeUnknown in it the
// command may have been committed or may still be; after any other error it is
// not. ctx bounds the wait.
func (s *Store) Apply(ctx context.Context, cmd []byte) (index uint64, result []byte, err error) {
	switch {
	case len(cmd) > s.cfg.CommandMax:
		return 0, nil, fmt.Errorf("command of %d bytes is larger than %d", len(cmd), s.cfg.CommandMax)
	case ctx.Err() != nil:
		return 0, nil, ctx.Err()
	case s.ctx.Err() != nil:
		return 0, nil, ErrShutdown
	case s.raft.State() != raft.Leader:
		return 0, nil, s.notLeader()
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return 0, nil, ErrBusy
	}
	done := make(chan answer, 1)
	go s.propose(cmd, done) // ends when raft answers, which closing makes it do
	select {
	case a := <-done:
		return a.index, a.result, a.err
	case <-s.ctx.Done():
		return 0, nil, fmt.Errorf("%w, %w", ErrShutdown, ErrOutcomeUnknown)
	case <-ctx.Done():
		return 0, nil, fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
}

type answer struct {
	index  uint64
	result []byte
	err    error
}

// propose keeps its slot until raft has answered, also when nobody waits any
// more: so what is on its way stays bounded.
func (s *Store) propose(cmd []byte, done chan<- answer) {
	defer func() { <-s.slots }()
	f := s.raft.Apply(cmd, 0)
	if err := f.Error(); err != nil {
		done <- answer{err: s.applyError(err)}
		return
	}
	out, _ := f.Response().(outcome)
	done <- answer{f.Index(), out.result, nil}
}

// Linearize returns once the machine on this member, the leader, holds every
// command that was acknowledged anywhere before the call: what is read from it
// then is linearizable. It writes nothing, except once per term. Errors:
// ErrNotLeader, ErrShutdown, the one of ctx.
func (s *Store) Linearize(ctx context.Context) error {
	if s.raft.State() != raft.Leader {
		return s.notLeader()
	}
	term := s.raft.CurrentTerm()
	// A new leader holds all committed entries but knows that they are
	// committed only when an entry of its own term is (Raft, section 8).
	if s.barrierTerm.Load() != term {
		if err := s.await(ctx, s.raft.Barrier(untilEnd(ctx))); err != nil {
			return s.callError(err)
		}
		if s.raft.CurrentTerm() != term {
			return s.notLeader()
		}
		s.barrierTerm.Store(term)
	}
	index := s.raft.CommitIndex()
	if err := s.confirm(ctx, term); err != nil {
		return err
	}
	return s.waitCommands(ctx, index)
}

func untilEnd(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return max(time.Nanosecond, time.Until(end))
	}
	return 0
}

// waitCommands waits until the machine has executed the last command at or
// before index. Entries behind it are raft's own and never reach the machine.
func (s *Store) waitCommands(ctx context.Context, index uint64) error {
	for {
		if applied, _ := s.machine.applied.get(); applied >= index {
			return nil
		}
		var l raft.Log
		err := s.disk.logs.GetLog(index, &l)
		if errors.Is(err, raft.ErrLogNotFound) {
			return nil // compacted, so it is in a snapshot of the machine
		}
		if err != nil {
			return fmt.Errorf("read entry %d: %w", index, err)
		}
		if l.Type == raft.LogCommand {
			return s.WaitApplied(ctx, index)
		}
		index--
	}
}

// Applied returns the index of the last command that the machine on this member
// has executed, and a channel that is closed when it grows or the member stops.
func (s *Store) Applied() (index uint64, more <-chan struct{}) {
	return s.machine.applied.get()
}

// WaitApplied waits until the machine on this member has executed the command
// at index.
func (s *Store) WaitApplied(ctx context.Context, index uint64) error {
	for {
		applied, more := s.Applied()
		if applied >= index {
			return nil
		}
		select {
		case <-more:
		case <-s.ctx.Done():
			return ErrShutdown
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Snapshot writes a snapshot now. Without anything new it does nothing.
func (s *Store) Snapshot(ctx context.Context) error {
	err := s.await(ctx, s.raft.Snapshot())
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return s.callError(err)
}
