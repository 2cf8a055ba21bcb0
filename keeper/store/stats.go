package store

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
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
	AppendsFailed uint64        // of Appends
	DiskWaits     bool          // an embedded member waits for its disk, out of the cluster
	DiskFree      uint64        // bytes that the member may still write; 0 where that cannot be told
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
		AppendsFailed: t.failed.Load(), DiskWaits: s.disk.patient.waits(), DiskFree: diskFree(s.cfg.Dir),
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

// diskFree is what an unprivileged process may still write below dir, in bytes.
func diskFree(dir string) uint64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0
	}
	return st.Bavail * uint64(st.Bsize)
}
