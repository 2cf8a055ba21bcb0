package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// fullDisk has no space for terms and votes when told so.
type fullDisk struct {
	raft.StableStore
	mu   sync.Mutex
	full bool
	said int // refusals
}

// under is the seam in Config; the log has its own.
func (d *fullDisk) under(s raft.StableStore) raft.StableStore {
	d.StableStore = s
	return d
}

func (d *fullDisk) fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func (d *fullDisk) refuse() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.full {
		return nil
	}
	d.said++
	return syscall.ENOSPC
}

func (d *fullDisk) refusals() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said
}

func (d *fullDisk) Set(key, val []byte) error {
	if err := d.refuse(); err != nil {
		return err
	}
	return d.StableStore.Set(key, val)
}

func (d *fullDisk) SetUint64(key []byte, val uint64) error {
	if err := d.refuse(); err != nil {
		return err
	}
	return d.StableStore.SetUint64(key, val)
}

// embedded makes each member an embedded one on a disk of its own.
func embedded(disks map[string]*fullDisk) func(*Config) {
	return func(cfg *Config) {
		cfg.Embedded = true
		disks[cfg.ID] = &fullDisk{}
		cfg.stable = disks[cfg.ID].under
	}
}

// TestFullDiskDuringElection: members that cannot save their term wait, this
// process lives on, and one leads as soon as there is space.
func TestFullDiskDuringElection(t *testing.T) {
	t.Parallel()
	disks := map[string]*fullDisk{}
	c := newCluster3(t, newPipeNet(), embedded(disks))
	c.write("a")
	c.agree("a")
	for _, d := range disks {
		d.fill(true)
	}
	c.kill(c.leader().cfg.ID)
	c.eventually("member that tries to vote", func() bool {
		for id := range c.members {
			if disks[id].refusals() > 2 {
				return true
			}
		}
		return false
	})
	for id, m := range c.members {
		if m.State() == Leader {
			t.Errorf("%s leads without having saved a term", id)
		}
		disks[id].fill(false)
	}
	c.write("b")
	c.agree("a", "b")
}

// TestFullDiskOfOne: a member alone that stops leading because its log takes
// nothing, and cannot even save a new term, leads again by itself.
func TestFullDiskOfOne(t *testing.T) {
	t.Parallel()
	disks, fs := map[string]*fullDisk{}, newPowerFS(1)
	fs.restart(0)
	c := foundCluster(t, 1, newPipeNet(), embedded(disks), func(cfg *Config) { cfg.files, cfg.segment = fs, 16<<10 })
	fill := func(full bool) {
		fs.mu.Lock()
		fs.full = full
		fs.mu.Unlock()
		disks["k1"].fill(full)
	}
	c.write("a")
	fill(true)
	if _, _, err := c.members["k1"].Apply(t.Context(), []byte("lost")); err == nil {
		t.Error("acknowledged though the disk is full")
	}
	c.eventually("attempts to save a term", func() bool { return disks["k1"].refusals() > 2 })
	fill(false)
	c.write("b")
	c.agree("a", "b")

	// The same once more; now it closes while it waits.
	fill(true)
	_, _, _ = c.members["k1"].Apply(t.Context(), []byte("lost"))
	before := disks["k1"].refusals()
	c.eventually("attempts to save a term", func() bool { return disks["k1"].refusals() > before+2 })
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.kill("k1")
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("a member that waits for its disk does not close")
	}
	fill(false)
	c.start("k1")
	c.ready("k1")
	c.agree("a", "b")
}

// TestFullDiskAtStart: the start says so instead of waiting for ever.
func TestFullDiskAtStart(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, newPipeNet())
	c.write("a")
	c.kill("k1")
	d := &fullDisk{full: true}
	cfg := c.configOf("k1", func(cfg *Config) {
		cfg.Embedded, cfg.stable, cfg.Timing.Disk = true, d.under, 50*time.Millisecond
	})
	if _, err := Open(cfg); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("open on a full disk: %v", err)
	}
	c.start("k1")
	c.ready("k1")
	c.agree("a")
}

// TestDeafLeader: a leader that waits for its disk is replaced, and follows
// when it is back.
func TestDeafLeader(t *testing.T) {
	t.Parallel()
	c := newCluster3(t, newPipeNet())
	c.write("a")
	old := c.leader()
	old.link.deafen(true)
	delete(c.members, old.cfg.ID)
	c.write("b")
	c.members[old.cfg.ID] = old
	old.link.deafen(false)
	c.agree("a", "b")
}

// brokenLog refuses to read some entries.
type brokenLog struct {
	raft.LogStore
	mu   sync.Mutex
	errs []error // of the next reads; then nil
}

func (b *brokenLog) GetLog(index uint64, l *raft.Log) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errs) == 0 {
		l.Index = index
		return nil
	}
	err := b.errs[0]
	b.errs = b.errs[1:]
	return err
}

// TestEntryThatCannotBeRead is waited for, said once, and ends the goroutine
// when the member closes.
func TestEntryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := func(end bool, want error, errs ...error) {
		t.Helper()
		var log strings.Builder
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if end {
			cancel()
		}
		heard := 0
		p := newPatient(ctx, Config{Timing: Timing{Retry: time.Millisecond}, Log: slog.New(slog.NewTextHandler(&log, nil))},
			&disk{logs: &brokenLog{errs: errs}}, func(bool) { heard++ })
		returned := false
		done := make(chan struct{})
		go func() {
			defer close(done)
			var l raft.Log
			if err := p.GetLog(7, &l); !errors.Is(err, want) || err == nil && l.Index != 7 {
				t.Errorf("%v: read %d, %v; want %v", errs, l.Index, err, want)
			}
			returned = true
		}()
		<-done
		waits := len(errs) > 0 && !errors.Is(errs[0], raft.ErrLogNotFound)
		if returned == (end && waits) {
			t.Errorf("%v: returned %t", errs, returned)
		}
		if said := strings.Count(log.String(), "the disk refuses"); said != map[bool]int{true: 1}[waits] {
			t.Errorf("%v: said %d times", errs, said)
		}
		if back := strings.Count(log.String(), "works again"); back != map[bool]int{true: 1}[waits && !end] || heard != back+map[bool]int{true: 1}[waits] {
			t.Errorf("%v: back %d times, heard of %d changes", errs, back, heard)
		}
	}
	f(false, nil)
	f(false, nil, syscall.EIO, syscall.EIO, syscall.EIO)
	f(false, raft.ErrLogNotFound, raft.ErrLogNotFound)
	f(false, raft.ErrLogNotFound, syscall.EIO, raft.ErrLogNotFound)
	f(true, nil, syscall.EIO)
	f(true, raft.ErrLogNotFound, raft.ErrLogNotFound)
}
