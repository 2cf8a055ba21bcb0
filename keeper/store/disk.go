package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"go.etcd.io/bbolt"
)

const (
	walSegment    = 16 << 20 // bytes, allocated at once; holds the usual log with its trail
	logCache      = 512      // entries in memory, so that a follower that keeps up costs no reads
	snapshotsKept = 2        // a damaged one does not cost the state
)

// disk is everything durable of a member.
type disk struct {
	lock    *os.File
	logs    raft.LogStore
	stable  raft.StableStore
	snaps   raft.SnapshotStore
	timed   *timedLog
	patient *patient // stands before it in an embedded member, else nil
	closer  io.Closer
}

// openDisk locks the directory and opens log and snapshots in it.
func openDisk(c Config) (*disk, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	d := &disk{lock: lock}
	if err := d.open(c); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *disk) open(c Config) error {
	if c.LogKind == Memory {
		m := raft.NewInmemStore()
		d.stable, d.snaps = m, raft.NewInmemSnapshotStore()
		d.setLog(m)
		return nil
	}
	if err := refuseOther(c.Dir, c.LogKind); err != nil {
		return err
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(c.Dir, snapshotsKept, hclogger(c.Log))
	if err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	d.snaps = snaps
	open := d.openWAL
	if c.LogKind == Bolt {
		open = d.openBolt
	}
	if err := open(c); err != nil {
		return fmt.Errorf("open log in %s: %w", c.Dir, err)
	}
	if c.stable != nil {
		d.stable = c.stable(d.stable)
	}
	return nil
}

func walDir(dir string) string   { return filepath.Join(dir, "wal") }
func boltFile(dir string) string { return filepath.Join(dir, "log.bolt") }

// refuseOther keeps a member from starting with an empty log because the kind
// of log was changed.
func refuseOther(dir string, kind LogKind) error {
	other, name := walDir(dir), WAL
	if kind == WAL {
		other, name = boltFile(dir), Bolt
	}
	if _, err := os.Stat(other); err == nil {
		return fmt.Errorf("%s was written with log %q, not %q; keep that kind, or remove the member, empty the directory and join again", dir, name, kind)
	}
	return nil
}

func (d *disk) openWAL(c Config) error {
	dir := walDir(c.Dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	m := &mendingLog{dir: dir, config: c, meta: &metadb.BoltMetaDB{}}
	if m.config.files == nil {
		m.config.files = fs.New()
	}
	if err := m.open(); err != nil {
		return errors.Join(err, m.meta.Close())
	}
	d.stable, d.closer = m, m
	d.setLog(m)
	return nil
}

func (d *disk) openBolt(c Config) error {
	b, err := boltdb.New(boltdb.Options{
		Path:        boltFile(c.Dir),
		BoltOptions: &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, ReadOnly: c.readOnly},
	})
	if err != nil {
		return err
	}
	d.stable, d.closer = b, b
	d.setLog(b)
	return nil
}

func (d *disk) setLog(l raft.LogStore) {
	d.timed = &timedLog{LogStore: l}
	d.logs, _ = raft.NewLogCache(logCache, d.timed) // errs for a size below 1 only
}

func (d *disk) close() error {
	var err error
	if d.closer != nil {
		err = d.closer.Close()
	}
	return errors.Join(err, d.lock.Close())
}

// lockDir makes sure that one process uses the directory. The lock ends with
// the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock of the state directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	// A process that another goroutine starts has our descriptors until its
	// exec, and with them a lock that we have just given back.
	for try := 0; errors.Is(err, syscall.EWOULDBLOCK) && try < 50; try++ {
		time.Sleep(10 * time.Millisecond)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("state directory %s is in use by a running member; stop it first: %w", dir, err)
	}
	return f, nil
}

// timedLog counts appends and the time that they take, which is nearly all
// fsync.
type timedLog struct {
	raft.LogStore
	appends, entries, failed, nanos atomic.Uint64
}

func (t *timedLog) StoreLog(l *raft.Log) error { return t.StoreLogs([]*raft.Log{l}) }

func (t *timedLog) StoreLogs(logs []*raft.Log) error {
	start := time.Now()
	err := t.LogStore.StoreLogs(logs)
	t.nanos.Add(uint64(time.Since(start)))
	t.appends.Add(1)
	t.entries.Add(uint64(len(logs)))
	if err != nil {
		t.failed.Add(1)
	}
	return err
}

// IsMonotonic tells raft whether the log may have no holes, as WAL's may not.
func (t *timedLog) IsMonotonic() bool {
	m, ok := t.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}
