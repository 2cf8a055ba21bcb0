package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
)

// mendingLog is a WAL that is opened anew after a write went wrong. A WAL
// that could not write, because the disk is full or broken, takes nothing any
// more in this process, and after a sync that went wrong nobody knows what is
// on the disk. Opening reads it all again; what was not acknowledged is cut
// off, because raft has forgotten it.
type mendingLog struct {
	dir    string
	config Config
	meta   *metadb.BoltMetaDB // terms, votes and the list of segments; stays open

	mu     sync.RWMutex // held while the log is used, for writing while it is replaced
	log    *wal.WAL
	writes sync.Mutex // one writer, which may read log without mu; held before mu
	last   uint64     // index of the last entry that raft knows of
	broken error
}

var (
	_ raft.MonotonicLogStore = (*mendingLog)(nil)
	_ raft.StableStore       = (*mendingLog)(nil)
)

func (m *mendingLog) open() error {
	log, err := wal.Open(m.dir, wal.WithSegmentSize(m.config.segment), wal.WithLogger(hclogger(m.config.Log)),
		wal.WithSegmentFiler(segment.NewFiler(m.dir, m.config.files)), wal.WithMetaStore(m.meta))
	if err != nil {
		return err
	}
	last, err := log.LastIndex()
	if err != nil {
		return errors.Join(err, log.Close())
	}
	m.log, m.last = log, last
	return nil
}

// StoreLogs is durable when it returns nil.
func (m *mendingLog) StoreLogs(logs []*raft.Log) error {
	m.writes.Lock()
	defer m.writes.Unlock()
	if err := m.mend(); err != nil {
		return err
	}
	if m.broken = m.log.StoreLogs(logs); m.broken == nil && len(logs) > 0 {
		m.last = logs[len(logs)-1].Index
	}
	return m.broken
}

// StoreLog is StoreLogs of one.
func (m *mendingLog) StoreLog(l *raft.Log) error { return m.StoreLogs([]*raft.Log{l}) }

// DeleteRange forgets the beginning or the end of the log.
func (m *mendingLog) DeleteRange(from, to uint64) error {
	m.writes.Lock()
	defer m.writes.Unlock()
	if err := m.mend(); err != nil {
		return err
	}
	m.broken = m.log.DeleteRange(from, to)
	if last, err := m.log.LastIndex(); err == nil && m.broken == nil {
		m.last = last
	}
	return m.broken
}

// mend opens the log anew if the last write went wrong. writes is held.
func (m *mendingLog) mend() error {
	if m.broken == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.last
	if err := errors.Join(m.log.Close(), m.open()); err != nil {
		return fmt.Errorf("log unusable since %w: %w", m.broken, err)
	}
	if m.last > known {
		if err := m.log.DeleteRange(known+1, m.last); err != nil {
			return fmt.Errorf("log unusable since %w: %w", m.broken, err)
		}
		m.last = known
	}
	m.config.Log.Warn("log opened anew after an error", "err", m.broken, "last", m.last)
	m.broken = nil
	return nil
}

// Close closes the file of terms and votes too, which WAL leaves open.
func (m *mendingLog) Close() error {
	m.writes.Lock()
	defer m.writes.Unlock()
	return errors.Join(m.log.Close(), m.meta.Close())
}

// IsMonotonic tells raft that the log must not have holes.
func (m *mendingLog) IsMonotonic() bool { return true }

// FirstIndex is 0 for an empty log.
func (m *mendingLog) FirstIndex() (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.log.FirstIndex()
}

// LastIndex is 0 for an empty log.
func (m *mendingLog) LastIndex() (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.log.LastIndex()
}

// GetLog returns raft.ErrLogNotFound for what was forgotten.
func (m *mendingLog) GetLog(index uint64, l *raft.Log) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.log.GetLog(index, l)
}

// Set goes past the log, which may just be opened anew: raft ends the process
// when it cannot save its term.
func (m *mendingLog) Set(key, val []byte) error { return m.meta.SetStable(key, val) }

// Get returns nil for a key that was never set.
func (m *mendingLog) Get(key []byte) ([]byte, error) { return m.meta.GetStable(key) }

// SetUint64 writes what WAL's method of that name writes.
func (m *mendingLog) SetUint64(key []byte, val uint64) error {
	return m.Set(key, binary.LittleEndian.AppendUint64(nil, val))
}

// GetUint64 returns 0 for a key that was never set.
func (m *mendingLog) GetUint64(key []byte) (uint64, error) {
	b, err := m.Get(key)
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("value of %q has %d bytes, want 8", key, len(b))
	}
	return binary.LittleEndian.Uint64(b), nil
}
