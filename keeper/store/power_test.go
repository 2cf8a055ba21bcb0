package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

var errPower = errors.New("no power")

// powerFS is a file system whose power fails at a given sync. Writes reach the
// disk with the next sync of their file; at the failure each of those pending
// gets there whole, in part or not at all, and from then on nothing works. A
// file whose directory entry was never synced is gone.
//
// It wraps nothing: files are in memory, durable ones outlive on.
type powerFS struct {
	mu    sync.Mutex
	rng   *rand.Rand
	disk  map[string][]byte     // what is durable
	files map[string]*powerFile // what is seen
	syncs int                   // so far
	until int                   // the sync at which the power fails; 0 = never
	off   bool
	full  bool // no write fits
	sick  int  // so many syncs from now on go wrong
}

type powerFile struct {
	fs      *powerFS
	name    string
	data    []byte
	pending []powerWrite
}

type powerWrite struct {
	at   int64
	data []byte
}

func newPowerFS(seed uint64) *powerFS {
	return &powerFS{rng: rand.New(rand.NewPCG(seed, 1)), disk: map[string][]byte{}, files: map[string]*powerFile{}}
}

// restart gives the power back: what is seen is what was durable.
func (p *powerFS) restart(until int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off, p.syncs, p.until = false, 0, until
	p.files = map[string]*powerFile{}
	for name, data := range p.disk {
		p.files[name] = &powerFile{fs: p, name: name, data: slices.Clone(data)}
	}
}

func (p *powerFS) ListDir(string) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for name := range p.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (p *powerFS) Create(_, name string, size uint64) (types.WritableFile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return nil, errPower
	}
	if p.files[name] != nil {
		return nil, os.ErrExist
	}
	f := &powerFile{fs: p, name: name, data: make([]byte, size)}
	p.files[name] = f
	return f, nil
}

func (p *powerFS) Delete(_, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return errPower
	}
	delete(p.files, name)
	delete(p.disk, name)
	return nil
}

func (p *powerFS) open(name string) (*powerFile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.files[name]; f != nil && !p.off {
		return f, nil
	}
	return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
}

func (p *powerFS) OpenReader(_, name string) (types.ReadableFile, error) { return p.open(name) }
func (p *powerFS) OpenWriter(_, name string) (types.WritableFile, error) { return p.open(name) }

func (f *powerFile) ReadAt(b []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if at >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *powerFile) WriteAt(b []byte, at int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.off {
		return 0, errPower
	}
	if f.fs.full {
		return 0, errDisk
	}
	f.data = overwrite(f.data, at, b)
	f.pending = append(f.pending, powerWrite{at, slices.Clone(b)})
	return len(b), nil
}

func overwrite(data []byte, at int64, b []byte) []byte {
	if grow := at + int64(len(b)) - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[at:], b)
	return data
}

func (f *powerFile) Sync() error {
	p := f.fs
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return errPower
	}
	if p.sick > 0 {
		p.sick--
		return errDisk
	}
	p.syncs++
	if p.syncs == p.until {
		p.fail()
		return errPower
	}
	p.disk[f.name] = slices.Clone(f.data)
	f.pending = nil
	return nil
}

// fail loses what was not synced: every pending write is there up to a random
// sector, and the file itself only if it had been synced or fate is kind.
func (p *powerFS) fail() {
	const sector = 512
	p.off = true
	for name, f := range p.files {
		old, durable := p.disk[name]
		if !durable && p.rng.IntN(2) == 0 {
			continue
		}
		if !durable {
			old = make([]byte, len(f.data))
		}
		for _, w := range f.pending {
			if n := min(len(w.data), sector*p.rng.IntN(len(w.data)/sector+2)); n > 0 {
				old = overwrite(old, w.at, w.data[:n])
			}
		}
		p.disk[name] = old
	}
}

func (*powerFile) Close() error { return nil }

var errDisk = errors.New("the disk says no")

// TestPowerFailsAtEverySync lets the power fail at the first sync of the log,
// then at the second, and so on; after each failure the log goes on where it
// was. What StoreLogs had acknowledged must be there.
func TestPowerFailsAtEverySync(t *testing.T) {
	t.Parallel()
	const failures = 60
	for seed := range uint64(3) {
		fs := newPowerFS(seed)
		dir := t.TempDir()
		acked := uint64(0)
		for at := 1; at <= failures; at++ {
			fs.restart(at)
			acked = writeUntilDark(t, fs, dir, acked)
		}
		fs.restart(0)
		if last := checkLog(t, fs, dir, acked); last < acked || acked == 0 {
			t.Fatalf("seed %d: the log ends at %d, %d was acknowledged", seed, last, acked)
		}
	}
}

func openPower(t *testing.T, fs types.VFS, dir string) *disk {
	t.Helper()
	cfg := Config{ID: "k", Dir: dir, Machine: &tape{}, files: fs, segment: 16 << 10}
	d, err := openDisk(cfg.withDefaults())
	if err != nil {
		t.Fatalf("open after the failure: %v", err)
	}
	return d
}

func powerEntry(index uint64) *raft.Log {
	return &raft.Log{Index: index, Term: 1, Data: fmt.Appendf(nil, "%d%*s", index, int(index*97%1500), "")}
}

func writeUntilDark(t *testing.T, fs *powerFS, dir string, acked uint64) uint64 {
	t.Helper()
	d := openPower(t, fs, dir)
	defer d.close()
	next := checkEntries(t, d, acked) + 1
	acked = next - 1 // what came through unacknowledged is there now and must stay
	for {
		var batch []*raft.Log
		for range 1 + int(next%3) {
			batch = append(batch, powerEntry(next))
			next++
		}
		if err := d.logs.StoreLogs(batch); err != nil {
			return acked
		}
		acked = next - 1
		if acked > 40 && acked%40 < 3 { // forget the beginning, as after a snapshot
			first, _ := d.logs.FirstIndex()
			if d.logs.DeleteRange(first, acked-20) != nil {
				return acked
			}
		}
	}
}

func checkLog(t *testing.T, fs *powerFS, dir string, acked uint64) uint64 {
	t.Helper()
	d := openPower(t, fs, dir)
	defer d.close()
	return checkEntries(t, d, acked)
}

// checkEntries returns the last index, having read every entry.
func checkEntries(t *testing.T, d *disk, acked uint64) uint64 {
	t.Helper()
	first, err1 := d.logs.FirstIndex()
	last, err2 := d.logs.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if last < acked || acked > 0 && first > max(1, acked) {
		t.Fatalf("the log holds %d to %d, %d was acknowledged", first, last, acked)
	}
	for i := first; i <= last && i > 0; i++ {
		var l raft.Log
		if err := d.logs.GetLog(i, &l); err != nil {
			t.Fatalf("entry %d of %d to %d: %v", i, first, last, err)
		}
		if want := powerEntry(i); string(l.Data) != string(want.Data) || l.Term != 1 {
			t.Fatalf("entry %d is damaged", i)
		}
	}
	return last
}

// TestPowerFailsUnderMember does it to a whole member that writers use.
func TestPowerFailsUnderMember(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		fs := newPowerFS(seed)
		fs.restart(0)
		dir := filepath.Join(t.TempDir(), string(WAL))
		var acked []string
		for round := range 6 {
			m := &tape{}
			cfg := childConfig(dir, m)
			cfg.files, cfg.Network, cfg.Listen, cfg.Advertise = fs, newPipeNet().at("k:1"), "k:1", ""
			s, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "leader", func() bool { return s.Linearize(t.Context()) == nil })
			have := map[string]bool{}
			for _, cmd := range m.all() {
				have[cmd] = true
			}
			for _, cmd := range acked {
				if !have[cmd] {
					t.Fatalf("seed %d, round %d: %s was acknowledged and is lost", seed, round, cmd)
				}
			}
			fs.mu.Lock()
			fs.until = fs.syncs + 1 + int(seed)*7 + round*5
			fs.mu.Unlock()
			acked = append(acked, writeInParallel(t, s, round)...)
			if err := s.Close(); err != nil {
				t.Logf("close without power: %v", err)
			}
			fs.restart(0)
		}
		if len(acked) == 0 {
			t.Error("nothing was acknowledged")
		}
	}
}

// writeInParallel writes until nothing is taken any more.
func writeInParallel(t *testing.T, s *Store, round int) (acked []string) {
	var mu sync.Mutex
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				cmd := fmt.Sprintf("%d/%d.%d", round, w, i)
				if _, _, err := s.Apply(t.Context(), []byte(cmd)); err != nil {
					return
				}
				mu.Lock()
				acked = append(acked, cmd)
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	return acked
}

// TestDiskSaysNo: while the disk refuses, nothing is acknowledged; afterwards
// the member goes on by itself and has lost nothing.
func TestDiskSaysNo(t *testing.T) {
	t.Parallel()
	f := func(trouble func(fs *powerFS, on bool)) {
		t.Helper()
		fs := newPowerFS(1)
		fs.restart(0)
		dir := filepath.Join(t.TempDir(), string(WAL))
		open := func() (*Store, *tape) {
			m := &tape{}
			cfg := childConfig(dir, m)
			cfg.files, cfg.Network, cfg.Listen, cfg.Advertise = fs, newPipeNet().at("k:1"), "k:1", ""
			s, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "leader", func() bool { return s.Linearize(t.Context()) == nil })
			return s, m
		}
		s, m := open()
		if _, _, err := s.Apply(t.Context(), []byte("a")); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			fs.mu.Lock()
			trouble(fs, true)
			fs.mu.Unlock()
			if _, _, err := s.Apply(t.Context(), []byte("b")); err == nil {
				t.Fatal("acknowledged though the disk refused")
			}
			fs.mu.Lock()
			trouble(fs, false)
			fs.mu.Unlock()
			eventually(t, "commit on a good disk", func() bool {
				_, _, err := s.Apply(t.Context(), []byte("c"))
				return err == nil
			})
		}
		before := m.all()
		if before[0] != "a" || before[len(before)-1] != "c" || m.backward {
			t.Errorf("executed %q", before)
		}
		s.Close()
		s, m = open()
		defer s.Close()
		if after := m.all(); !slices.Equal(after, before) {
			t.Errorf("executed %q, and after a restart %q", before, after)
		}
	}
	f(func(fs *powerFS, on bool) { fs.full = on })
	f(func(fs *powerFS, on bool) { fs.sick = map[bool]int{true: 1}[on] })
	f(func(fs *powerFS, on bool) { fs.sick = map[bool]int{true: 1 << 30}[on] })
}
