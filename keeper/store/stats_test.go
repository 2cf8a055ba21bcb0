package store

import (
	"errors"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// refusing is a log that takes nothing.
type refusing struct{ raft.LogStore }

func (refusing) StoreLogs([]*raft.Log) error { return syscall.ENOSPC }

func TestAppendsAreCounted(t *testing.T) {
	f := func(l raft.LogStore, want error, appends, entries, failed uint64) {
		t.Helper()
		timed := &timedLog{LogStore: l}
		if err := timed.StoreLogs([]*raft.Log{{Index: 1}, {Index: 2}}); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if a, e, n := timed.appends.Load(), timed.entries.Load(), timed.failed.Load(); a != appends || e != entries || n != failed {
			t.Errorf("%d appends, %d entries, %d failed; want %d, %d, %d", a, e, n, appends, entries, failed)
		}
	}
	f(raft.NewInmemStore(), nil, 1, 2, 0)
	f(refusing{}, syscall.ENOSPC, 1, 2, 1)
}

func TestDiskWaits(t *testing.T) {
	var p *patient
	if p.waits() {
		t.Error("a member without a patient waits")
	}
	p = &patient{log: slog.New(slog.DiscardHandler), deafen: func(bool) {}}
	f := func(change int, want bool) {
		t.Helper()
		if p.note(change, syscall.EIO); p.waits() != want {
			t.Errorf("waits: %t, want %t", p.waits(), want)
		}
	}
	f(1, true)
	f(1, true)
	f(-1, true)
	f(-1, false)
}

func TestDiskFree(t *testing.T) {
	if diskFree(t.TempDir()) == 0 {
		t.Error("there is no room in the folder of a test")
	}
	if n := diskFree(filepath.Join(t.TempDir(), "gone")); n != 0 {
		t.Errorf("%d bytes in a folder that does not exist", n)
	}
}
