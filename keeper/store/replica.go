package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/raft"
)

// replica feeds raft's log to the machine. raft calls it from one goroutine.
type replica struct {
	machine Machine
	log     *slog.Logger
	applied signal[uint64] // index of the last command
	members func(raft.Configuration)
}

var (
	_ raft.BatchingFSM        = (*replica)(nil)
	_ raft.ConfigurationStore = (*replica)(nil)
)

func newReplica(m Machine, log *slog.Logger) *replica {
	return &replica{machine: m, log: log, members: func(raft.Configuration) {}}
}

// outcome is what the leader hands back to the caller of Apply.
type outcome struct{ result []byte }

// Apply is used in recovery only; a running raft calls ApplyBatch.
func (r *replica) Apply(l *raft.Log) any {
	return r.ApplyBatch([]*raft.Log{l})[0]
}

// ApplyBatch executes commands and wakes watchers once for all of them.
func (r *replica) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	index, _ := r.applied.get()
	for i, l := range logs {
		switch l.Type {
		case raft.LogCommand:
			out[i] = outcome{r.machine.Apply(l.Index, l.Data)}
			index = l.Index
		case raft.LogConfiguration:
			r.members(raft.DecodeConfiguration(l.Data))
		}
	}
	r.applied.set(index)
	return out
}

// StoreConfiguration makes raft count configurations as applied.
func (r *replica) StoreConfiguration(_ uint64, c raft.Configuration) { r.members(c) }

// The snapshot is a head and what the machine wrote. The head holds the index
// of the last command in it, which raft does not hand to Restore. raft keeps a
// checksum over all of it.
const (
	snapshotMagic = "pfkeep\x00\x01" // the last byte is the version
	snapshotHead  = len(snapshotMagic) + 8
	snapshotMax   = 1 << 30 // bytes; a larger one is taken for damage
)

// Snapshot asks the machine for its state.
func (r *replica) Snapshot() (raft.FSMSnapshot, error) {
	state, err := r.machine.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("snapshot of the state: %w", err)
	}
	index, _ := r.applied.get()
	head := binary.LittleEndian.AppendUint64([]byte(snapshotMagic), index)
	return &snapshot{head, state}, nil
}

// Restore replaces the machine's state.
func (r *replica) Restore(from io.ReadCloser) error {
	defer from.Close()
	data, err := io.ReadAll(io.LimitReader(from, snapshotMax+1))
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if len(data) > snapshotMax {
		return fmt.Errorf("snapshot is larger than %d bytes", snapshotMax)
	}
	if len(data) < snapshotHead || string(data[:len(snapshotMagic)]) != snapshotMagic {
		return errors.New("not a snapshot of this version")
	}
	if err := r.machine.Restore(data[snapshotHead:]); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	r.applied.set(binary.LittleEndian.Uint64(data[len(snapshotMagic):]))
	return nil
}

// snapshot is written while the machine goes on.
type snapshot struct{ head, state []byte }

// Persist writes the snapshot; raft syncs it on Close.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	for _, part := range [][]byte{s.head, s.state} {
		if _, err := sink.Write(part); err != nil {
			return errors.Join(err, sink.Cancel())
		}
	}
	return sink.Close()
}

// Release does nothing: the bytes are garbage now.
func (*snapshot) Release() {}
