package store

import (
	"strconv"
	"time"
)

// Stats is one look at a member.
type Stats struct {
	ID, Address   string
	Cluster       string // random name, the same on all members
	Role          Role
	Term          uint64
	LeaderID      string
	LeaderAddress string
	LastIndex     uint64 // of the log
	Committed     uint64
	Applied       uint64 // last command executed here
	SnapshotIndex uint64
	LastContact   time.Duration // since the leader was heard, 0 on the leader, -1 never
	Elections     uint64        // times this member became leader since it started
	InFlight      int           // Applies under way
	LogKind       LogKind
	Appends       uint64        // writes to the log, each with its fsync
	Entries       uint64        // in these
	AppendTime    time.Duration // all of them together
}

// Stats returns where this member stands.
func (s *Store) Stats() Stats {
	applied, _ := s.Applied()
	id, address := s.Leader()
	snapshot, _ := strconv.ParseUint(s.raft.Stats()["last_snapshot_index"], 10, 64)
	t := s.disk.timed
	return Stats{
		ID: s.cfg.ID, Address: s.link.advertise, Cluster: s.ident.cluster(),
		Role: s.State(), Term: s.raft.CurrentTerm(), LeaderID: id, LeaderAddress: address,
		LastIndex: s.raft.LastIndex(), Committed: s.raft.CommitIndex(), Applied: applied,
		SnapshotIndex: snapshot, LastContact: s.lastContact(), Elections: s.elections.Load(),
		InFlight: len(s.slots), LogKind: s.cfg.LogKind,
		Appends: t.appends.Load(), Entries: t.entries.Load(), AppendTime: time.Duration(t.nanos.Load()),
	}
}

func (s *Store) lastContact() time.Duration {
	if s.State() == Leader {
		return 0
	}
	last := s.raft.LastContact()
	if last.IsZero() {
		return -1
	}
	return time.Since(last)
}
