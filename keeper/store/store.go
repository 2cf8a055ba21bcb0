// Package store replicates commands between the members of the keeper and
// feeds them, in one order, to a state machine: a durable log, snapshots,
// elections, membership and the transport between members. It is the only room
// that knows hashicorp/raft.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Machine is the replicated state. All calls come from one goroutine. Apply
// must be deterministic: the same commands give the same state and the same
// results on every member, whatever the time or the place.
type Machine interface {
	// Apply executes one committed command. index grows, with gaps.
	Apply(index uint64, cmd []byte) (result []byte)
	// Snapshot returns the whole state. The bytes are not changed afterwards.
	Snapshot() ([]byte, error)
	// Restore replaces the whole state by one that Snapshot returned. On an
	// error the old state must still be there.
	Restore(snapshot []byte) error
}

// Store is one member. All methods may be called from any goroutine.
type Store struct {
	// static after Open
	cfg     Config
	log     *slog.Logger
	raft    *raft.Raft
	disk    *disk
	link    *link
	calls   *raft.NetworkTransport // raft's side of link
	machine *replica
	slots   chan struct{} // one per Apply under way
	ident   *identity
	ctx     context.Context // ends with Close; all our goroutines watch it
	cancel  context.CancelFunc
	work    sync.WaitGroup

	lead        signal[Leadership]
	barrierTerm atomic.Uint64 // the term in which this leader has committed an entry
	elections   atomic.Uint64 // times this member became leader
	transfers   sync.Mutex    // one transfer at a time
	pilot       pilot
	confirmer   confirmer

	closing sync.Once
	closed  error
}

// Open starts a member: it replays what the directory holds and then finds the
// others in the background. It returns an error when the configuration, the
// directory or the address cannot be used. The member serves once Ready
// returns. Stop or Close ends it.
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	d, err := openDisk(cfg)
	if err != nil {
		return nil, err
	}
	s, err := start(cfg, d)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return s, nil
}

func start(cfg Config, d *disk) (*Store, error) {
	ident, err := loadIdentity(cfg.Dir, cfg.ID)
	if err != nil {
		return nil, err
	}
	if err := ident.change(func(d *identityData) { d.Recovered = "" }); err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: cfg.Log, disk: d, ident: ident,
		machine: newReplica(cfg.Machine, cfg.Log),
		slots:   make(chan struct{}, cfg.InflightMax),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.machine.members = s.configured
	if s.link, err = newLink(cfg, ident, s.answer); err != nil {
		s.cancel()
		return nil, err
	}
	transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s.link, Logger: hclogger(cfg.Log), MaxPool: 3, Timeout: cfg.Timing.RPC,
	})
	if s.raft, err = s.newRaft(calls{transport, s.ctx, 3 * cfg.Timing.RPC}); err != nil {
		s.cancel()
		return nil, errors.Join(fmt.Errorf("start from %s: %w", cfg.Dir, err), transport.Close(), s.link.Close())
	}
	s.calls = transport
	s.link.serve()
	s.watchLeader()
	s.spawn(s.form)
	s.spawn(s.fly)
	return s, nil
}

// newRaft starts raft on the disk, between which stands a patient in an
// embedded member.
func (s *Store) newRaft(transport raft.Transport) (*raft.Raft, error) {
	d := s.disk
	if !s.cfg.Embedded {
		return raft.NewRaft(raftConfig(s.cfg), s.machine, d.logs, d.stable, d.snaps, transport)
	}
	p := newPatient(s.ctx, s.cfg, d, s.link.deafen)
	return p.start(s.cancel, s.cfg.Timing.Disk, func() (*raft.Raft, error) {
		return raft.NewRaft(raftConfig(s.cfg), s.machine, p, p, d.snaps, transport)
	})
}

// spawn runs f until Close, which waits for it.
func (s *Store) spawn(f func(context.Context)) {
	s.work.Go(func() { f(s.ctx) })
}

// Stop hands the leadership over if this member has it, and closes. ctx bounds
// the handing over; after it the member closes all the same.
func (s *Store) Stop(ctx context.Context) error {
	if s.raft.State() == raft.Leader && s.otherVoters() > 0 {
		if err := s.Transfer(ctx, ""); err != nil {
			s.log.Warn("leadership not handed over before the stop", "err", err)
		}
	}
	return s.Close()
}

// Close ends the member at once, like a crash that still closes its files. The
// others elect a new leader after an election timeout.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.cancel()
		err := errors.Join(s.calls.Close(), s.link.Close(), s.raft.Shutdown().Error())
		s.work.Wait()
		s.link.wait()
		s.closed = errors.Join(err, s.disk.close())
		s.lead.set(Leadership{})
		s.lead.end()
		s.machine.applied.end()
	})
	return s.closed
}

// Ready waits until this member is in the configuration and knows a leader.
func (s *Store) Ready(ctx context.Context) error {
	for {
		l, changed := s.Leadership()
		if _, ok := s.member(s.cfg.ID); ok && l.ID != "" {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(s.cfg.Timing.Retry): // a configuration makes no sound
		case <-s.ctx.Done():
			return ErrShutdown
		case <-ctx.Done():
			return fmt.Errorf("no leader yet: %w", ctx.Err())
		}
	}
}

// Addr is the address at which the others reach this member.
func (s *Store) Addr() string { return s.link.advertise }
