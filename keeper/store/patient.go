package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// patient stands between raft and the disk of an embedded member. raft 1.7.3
// panics when it cannot save its term (setCurrentTerm) and when it cannot read
// a committed entry that it has to execute (processLogs); a full disk or an I/O
// error would thus end the process, with all else that it does. patient does
// not return such errors: it tries again until the disk does as it is told or
// the member closes. Meanwhile the member is deaf, so that the others do not
// take it for a leader that lives.
//
// All other errors of the disk raft survives: after one of StoreLogs a leader
// steps down and a follower refuses, and one of a snapshot is logged. A read
// that says that the entry is not there is passed on, since raft asks for such
// entries and takes a snapshot instead.
type patient struct {
	raft.LogStore
	stable raft.StableStore
	ctx    context.Context // ends with the store
	pause  time.Duration   // between attempts at first, to 8×
	log    *slog.Logger
	deafen func(bool)
	raft   atomic.Pointer[raft.Raft] // nil while raft starts

	mu      sync.Mutex
	waiting int   // goroutines that wait for the disk
	last    error // of the disk
}

var (
	_ raft.MonotonicLogStore = (*patient)(nil)
	_ raft.StableStore       = (*patient)(nil)
)

func newPatient(ctx context.Context, c Config, d *disk, deafen func(bool)) *patient {
	d.patient = &patient{LogStore: d.logs, stable: d.stable, ctx: ctx, pause: c.Timing.Retry, log: c.Log, deafen: deafen}
	return d.patient
}

// Set returns when the value is saved.
func (p *patient) Set(key, val []byte) error {
	set := func() error { return p.stable.Set(key, val) }
	p.insist(set(), set)
	return nil
}

// SetUint64 returns when the value is saved.
func (p *patient) SetUint64(key []byte, val uint64) error {
	set := func() error { return p.stable.SetUint64(key, val) }
	p.insist(set(), set)
	return nil
}

// Get returns nil for a key that was never set. raft refuses a vote when it
// cannot read.
func (p *patient) Get(key []byte) ([]byte, error) { return p.stable.Get(key) }

// GetUint64 returns 0 for a key that was never set.
func (p *patient) GetUint64(key []byte) (uint64, error) { return p.stable.GetUint64(key) }

// GetLog insists on entries that raft has not handed to the machine yet. The
// others it reads for members that lag, and does without.
func (p *patient) GetLog(index uint64, l *raft.Log) error {
	err := p.LogStore.GetLog(index, l)
	if err == nil || errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	if r := p.raft.Load(); r != nil && index <= r.AppliedIndex() {
		return err
	}
	p.insist(err, func() error {
		if err = p.LogStore.GetLog(index, l); errors.Is(err, raft.ErrLogNotFound) {
			return nil
		}
		return err
	})
	return err
}

// IsMonotonic is the log's.
func (p *patient) IsMonotonic() bool {
	m, ok := p.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// insist returns when f, whose first attempt gave err, has succeeded. When the
// store closes before, it ends the goroutine: raft would panic after a return, and its goroutines give back
// by defer all that others wait for.
func (p *patient) insist(err error, f func() error) {
	if err == nil {
		return
	}
	p.note(1, err)
	for pause := p.pause; err != nil; pause = min(2*pause, 8*p.pause) {
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
			runtime.Goexit()
		}
		if err = f(); err != nil {
			p.note(0, err)
		}
	}
	p.note(-1, nil)
}

// note counts who waits and says when the first begins and the last ends.
func (p *patient) note(change int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting += change
	p.last = err
	switch {
	case change == 1 && p.waiting == 1:
		p.log.Error("the disk refuses what this member must save or read; it stays out of the cluster and tries again until there is space and the disk works", "err", err)
		p.deafen(true)
	case change == -1 && p.waiting == 0:
		p.log.Info("the disk works again, the member is back")
		p.deafen(false)
	}
}

// waits tells whether somebody waits for the disk; nobody does without a patient.
func (p *patient) waits() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting > 0
}

func (p *patient) trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// start makes a raft whose first reads and writes may fail too: it gives up
// after a time, with the disk's error. cancel must end p.ctx.
func (p *patient) start(cancel func(), limit time.Duration, newRaft func() (*raft.Raft, error)) (*raft.Raft, error) {
	type result struct {
		raft *raft.Raft
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with newRaft, or by insist
		r := result{err: errors.New("the disk does not answer")}
		defer func() {
			if said := recover(); said != nil { // an entry is missing: the log is damaged
				r = result{err: fmt.Errorf("%v", said)}
			}
			done <- r
		}()
		r.raft, r.err = newRaft()
	}()
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case r := <-done:
		if r.raft != nil {
			p.raft.Store(r.raft)
		}
		return r.raft, r.err
	case <-late.C:
	}
	cancel()
	r := <-done
	if r.raft != nil { // it came through just now, but its context has ended
		return nil, errors.Join(fmt.Errorf("not started within %s", limit), r.raft.Shutdown().Error())
	}
	if err := p.trouble(); err != nil {
		return nil, fmt.Errorf("not started within %s: %w; make room on the disk or replace it", limit, err)
	}
	return nil, r.err
}
