package recorder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/record"
)

// TestAFullDisk fills a real file system below a recorder and makes room again.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Skip("a file system of its own cannot be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	fill := filepath.Join(dir, "fill")
	g := play(t, func(c *Config) { c.Dir = filepath.Join(dir, "rec") }, func(g *rig) {
		pass(5*time.Second + time.Millisecond)
		_ = os.WriteFile(fill, make([]byte, 256<<10), 0o600) // as much as there is room for
		pass(2 * time.Minute)
		if s := g.Summary(); s.Paused != "the disk is full" {
			t.Errorf("paused: %q", s.Paused)
		}
		must(t, os.Remove(fill))
		pass(10 * time.Second)
		if s := g.Summary(); s.Paused != "" {
			t.Errorf("paused with room: %q", s.Paused)
		}
	})
	all, marks := read(t, os.DirFS(g.dir), RingSecond) // fails on damage
	i := slices.IndexFunc(marks, func(m record.Mark) bool { return m.Kind == record.MarkPause })
	if i < 0 || !strings.Contains(marks[i].Text, "the disk is full") {
		t.Errorf("marks %+v", marks)
	}
	if last := all[len(all)-1].at; last.Sub(all[0].at) < 2*time.Minute || len(all) > 120 {
		t.Errorf("%d records in %s", len(all), last.Sub(all[0].at))
	}
}
