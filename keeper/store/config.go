package store

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// LogKind says what holds the log.
type LogKind string

const (
	WAL    LogKind = "wal"    // raft-wal: segments, one fsync per append
	Bolt   LogKind = "bolt"   // bbolt: one file, slower, long proven
	Memory LogKind = "memory" // lost with the process; for tests and as a floor in benchmarks
)

// Config is what a member needs. It does not change while the member runs.
type Config struct {
	ID        string   // name of the member, 1 to 64 bytes; stays the same when its address changes
	Dir       string   // state directory, created if missing; one process at a time
	Listen    string   // host:port for the other members; port 0 = any
	Advertise string   // host:port that the others dial; "" = the address listened on
	TLS       TLSFiles // all empty = plain, on loopback only
	Network   Network  // nil = TCP

	// Join lists addresses of members. Expect 0: ask these to be let in.
	// Expect n: found a new cluster together with exactly these n addresses,
	// one's own among them or added. Both do nothing on a member that has state.
	Join   []string
	Expect int

	Machine Machine
	Log     *slog.Logger // nil = discard
	Timing  Timing       // zero fields = DefaultTiming
	LogKind LogKind      // "" = WAL

	SnapshotEntries uint64 // entries after which a snapshot is taken, 0 = 8192
	TrailingEntries uint64 // entries kept behind a snapshot for members that lag, 0 = 8192
	InflightMax     int    // concurrent Applies before ErrBusy, 0 = 1024
	VotersMax       int    // members beyond stay without vote, 0 = 5
	CommandMax      int    // bytes in one command, 0 = 1 MiB

	// Embedded members outlive a full or broken disk: where raft would end the
	// process, they wait for the disk, out of the cluster, and come back.
	Embedded bool

	readOnly bool // a dry run: nothing is written

	files   types.VFS                               // tests: where WAL writes; nil = the directory
	segment int                                     // tests: bytes of a WAL segment; 0 = walSegment
	stable  func(raft.StableStore) raft.StableStore // tests: stands before the disk; nil = nothing
}

// Timing holds how long members wait for one another.
//
// A follower looks for a new leader after Heartbeat without contact, plus up to
// twice that by chance: its timer runs Heartbeat to 2×Heartbeat and is started
// again if there was contact within the last Heartbeat. With pre-votes a
// majority must have missed the leader. So the next leader comes after at most
// 3×Heartbeat and two round trips with a disk write each, if votes do not
// split: 0.75 s for 250 ms. The leader sends heartbeats every Heartbeat/10 to
// Heartbeat/5, and they pass by the disk, so that only a pause of the whole
// process of more than Heartbeat causes a needless election.
type Timing struct {
	Heartbeat time.Duration // without contact until a follower asks for votes, ≥ 5 ms
	Election  time.Duration // a candidate's wait for votes (to 2×), and the bound on a transfer; ≥ Heartbeat
	// Lease is how long a leader serves without contact to a majority. It must
	// not exceed Heartbeat: the old leader has then gone before a new one comes.
	Lease time.Duration
	// Commit is how late followers learn of a commit without traffic (to 2×).
	Commit time.Duration
	RPC    time.Duration // one call between members
	Retry  time.Duration // between attempts to join
	Pilot  time.Duration // between looks at the members' health by the leader
	Stable time.Duration // a new member keeps up this long before it may vote

	Disk time.Duration // an embedded member's start waits this long for its disk

	SnapshotCheck time.Duration // between looks whether a snapshot is due
}

// DefaultTiming suits members whose round trip is below 20 ms.
func DefaultTiming() Timing {
	return Timing{
		Heartbeat: 250 * time.Millisecond,
		Election:  250 * time.Millisecond,
		Lease:     200 * time.Millisecond,
		Commit:    5 * time.Millisecond,
		RPC:       2 * time.Second,
		Retry:     250 * time.Millisecond,
		Pilot:     500 * time.Millisecond,
		Stable:    5 * time.Second,
		Disk:      2 * time.Second,

		SnapshotCheck: 30 * time.Second,
	}
}

func (c Config) withDefaults() Config {
	orElse(&c.Log, slog.New(slog.DiscardHandler))
	orElse(&c.LogKind, WAL)
	orElse(&c.SnapshotEntries, 8192)
	orElse(&c.TrailingEntries, 8192)
	orElse(&c.InflightMax, 1024)
	orElse(&c.VotersMax, 5)
	orElse(&c.CommandMax, 1<<20)
	orElse(&c.segment, walSegment)
	if c.Network == nil {
		c.Network = tcp{}
	}
	d := DefaultTiming()
	t := &c.Timing
	orElse(&t.Heartbeat, d.Heartbeat)
	orElse(&t.Election, max(d.Election, t.Heartbeat))
	orElse(&t.Lease, min(d.Lease, t.Heartbeat))
	orElse(&t.Commit, d.Commit)
	orElse(&t.RPC, d.RPC)
	orElse(&t.Retry, d.Retry)
	orElse(&t.Pilot, d.Pilot)
	orElse(&t.Stable, d.Stable)
	orElse(&t.Disk, d.Disk)
	orElse(&t.SnapshotCheck, d.SnapshotCheck)
	return c
}

// orElse fills in a value that was left at zero.
func orElse[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func (c Config) check() error {
	switch {
	case c.ID == "" || len(c.ID) > idMax:
		return fmt.Errorf("id %q: a member needs a name of 1 to %d bytes", c.ID, idMax)
	case c.Dir == "":
		return errors.New("a member needs a state directory")
	case c.Machine == nil:
		return errors.New("a member needs a state machine")
	case c.LogKind != WAL && c.LogKind != Bolt && c.LogKind != Memory:
		return fmt.Errorf("log %q is not one of wal, bolt, memory", c.LogKind)
	case c.Expect < 0 || c.Expect > membersMax || len(c.Join) > membersMax:
		return fmt.Errorf("a cluster has at most %d members", membersMax)
	}
	if c.Advertise != "" {
		if host, port, err := net.SplitHostPort(c.Advertise); err != nil || host == "" || port == "" {
			return fmt.Errorf("advertise %q: want HOST:PORT", c.Advertise)
		}
	}
	for _, a := range c.Join {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("join %q: want HOST:PORT: %w", a, err)
		}
	}
	return raft.ValidateConfig(raftConfig(c))
}

func raftConfig(c Config) *raft.Config {
	r := raft.DefaultConfig()
	r.LocalID = raft.ServerID(c.ID)
	r.HeartbeatTimeout = c.Timing.Heartbeat
	r.ElectionTimeout = c.Timing.Election
	r.LeaderLeaseTimeout = c.Timing.Lease
	r.CommitTimeout = c.Timing.Commit
	r.SnapshotInterval = c.Timing.SnapshotCheck
	r.SnapshotThreshold = c.SnapshotEntries
	r.TrailingLogs = c.TrailingEntries
	r.MaxAppendEntries = 256 // commands per fsync under load; a command is small
	r.ShutdownOnRemove = false
	r.NoLegacyTelemetry = true // two counters per call instead of four; no sink is set anyway
	r.Logger = hclogger(c.Log)
	return r
}
