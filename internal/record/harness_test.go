package record

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// memory is a Disk in memory that can be full.
type memory struct {
	fstest.MapFS
	mu   sync.Mutex
	full bool
}

func newMemory() *memory { return &memory{MapFS: fstest.MapFS{}} }

func (m *memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	if m.MapFS[name] != nil {
		return nil, fs.ErrExist
	}
	f := &fstest.MapFile{Mode: 0o600}
	m.MapFS[name] = f
	return &memoryFile{m, f}, nil
}

func (m *memory) Remove(name string) error {
	if m.MapFS[name] == nil {
		return fs.ErrNotExist
	}
	delete(m.MapFS, name)
	return nil
}

type memoryFile struct {
	m *memory
	f *fstest.MapFile
}

// WriteAt writes half when the disk is full.
func (f *memoryFile) WriteAt(b []byte, at int64) (int, error) {
	n := len(b)
	if f.m.full {
		n /= 2
	}
	f.f.Data = append(f.f.Data[:at], b[:n]...)
	if f.m.full {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.f.Data = f.f.Data[:size]
	return nil
}

func (f *memoryFile) Close() error { return nil }

// noon is where the time of the tests begins, ms since 1970.
const noon = 1_764_331_200_000

func testSchema() *Schema {
	return &Schema{Node: "gw-1", Run: "a", EveryMS: 1000, Fields: []Field{
		{Name: "queued", Kind: Gauge}, {Name: "cpu.user", Unit: "%", Kind: Counter},
		{Name: "oldest", Unit: "s", Kind: Peak, Scale: 1e-3}, {Name: "published", Kind: Counter},
	}}
}

// testRecord is second i of a steady time: 10 % cpu, 50 published a second.
func testRecord(i int) *Record {
	return &Record{At: noon + int64(i)*1000, Mono: int64(i) * 1000, V: []int64{int64(100 + i), int64(10 * i), 1500, int64(50 * i)}}
}

func testRing(t *testing.T, d Disk, s *Schema, bytes int64) *Ring {
	t.Helper()
	r, err := OpenRing(RingConfig{Name: "1s", Disk: d, Schema: s, BytesMax: func() int64 { return bytes }, Keep: func() time.Duration { return 24 * time.Hour }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// times are the records of a span, in seconds after noon, marks as -1.
func times(t *testing.T, fsys fs.FS, from, to int64) (at []int64) {
	t.Helper()
	must(t, Scan(fsys, Query{Ring: "1s", From: from, To: to}, func(it Item) error {
		switch {
		case it.Record != nil:
			at = append(at, (it.Record.At-noon)/1000)
		case it.Mark != nil:
			at = append(at, -1)
		}
		return nil
	}))
	return at
}

// wild fills records with numbers of every size, some missing.
func wild(r *rand.Rand, rec *Record) {
	for i := range rec.V {
		switch r.IntN(8) {
		case 0:
			rec.V[i] = Missing
		case 1:
			rec.V[i] = r.Int64() - r.Int64()
		case 2, 3:
			rec.V[i] = clamp(rec.V[i] + int64(r.IntN(1000)))
		}
	}
}

var errStop = errors.New("stop")
