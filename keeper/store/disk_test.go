package store

import (
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// TestLogCorrected: a follower whose last entries were never committed loses
// them, and starts again with what is left. The WAL before 0.4.2 did not.
func TestLogCorrected(t *testing.T) {
	t.Parallel()
	f := func(kind LogKind) {
		t.Helper()
		cfg := Config{ID: "k", Dir: t.TempDir(), Machine: &tape{}, LogKind: kind}.withDefaults()
		store := func(d *disk, term uint64, from, to uint64) {
			t.Helper()
			var logs []*raft.Log
			for i := from; i <= to; i++ {
				logs = append(logs, &raft.Log{Index: i, Term: term})
			}
			if err := d.logs.StoreLogs(logs); err != nil {
				t.Fatal(err)
			}
		}
		holds := func(d *disk, want ...uint64) {
			t.Helper()
			first, _ := d.logs.FirstIndex()
			last, _ := d.logs.LastIndex()
			var terms []uint64
			for i := first; i <= last; i++ {
				var l raft.Log
				if err := d.logs.GetLog(i, &l); err != nil {
					t.Fatalf("%s: entry %d: %v", kind, i, err)
				}
				terms = append(terms, l.Term)
			}
			if !slices.Equal(terms, want) {
				t.Errorf("%s: terms %v from %d on, want %v", kind, terms, first, want)
			}
		}
		again := func(d *disk) *disk {
			t.Helper()
			if err := d.close(); err != nil {
				t.Fatal(err)
			}
			d, err := openDisk(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		d, err := openDisk(cfg)
		if err != nil {
			t.Fatal(err)
		}
		store(d, 1, 1, 5)
		if err := d.logs.DeleteRange(4, 5); err != nil {
			t.Fatal(err)
		}
		d = again(d)
		holds(d, 1, 1, 1)
		store(d, 2, 4, 6)
		holds(d, 1, 1, 1, 2, 2, 2)
		d = again(d)
		holds(d, 1, 1, 1, 2, 2, 2)
		if n := d.timed.appends.Load(); n != 0 {
			t.Errorf("%d appends", n)
		}
		d.close()
	}
	f(WAL)
	f(Bolt)
}
