package teewire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rotated is a recording of several files, and their names.
func rotated(t *testing.T) (dir string, names []string, records int) {
	t.Helper()
	batches := story(1)
	for i := range 11 {
		batches = append(batches, big(i, 4<<20))
	}
	dir = record(t, filepath.Join(t.TempDir(), "r"), WriterOptions{SegmentBytes: SegmentMin}, batches)
	names, err := filepath.Glob(dir + "/*.tee")
	if err != nil || len(names) < 4 {
		t.Fatalf("%v %v", names, err)
	}
	return dir, names, len(wordsOf(t, batches))
}

// A file whose head is cut off or damaged is left out, and all others are read.
func TestFilesWithoutAHead(t *testing.T) {
	dir, names, all := rotated(t)
	whole := map[string][]byte{}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		whole[n] = b
	}
	first, middle, last := names[0], names[1], names[len(names)-1]
	next := filepath.Join(dir, segmentName(uint32(len(names)+1)))
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			b = bytes.Clone(b)
			b[at] ^= 0x10
			return b
		}
	}
	f := func(name string, edit func([]byte) []byte, want Extent, what string, holes, torn int) {
		t.Helper()
		was := whole[name]
		if was == nil {
			was = whole[last]
			defer os.Remove(name)
		} else {
			defer os.WriteFile(name, was, 0o600)
		}
		if err := os.WriteFile(name, edit(was), 0o600); err != nil {
			t.Fatal(err)
		}
		files := open(t, dir)
		got := words(t, files)
		tears := 0
		for _, w := range got {
			if strings.HasPrefix(w, "torn ") {
				tears++
			}
		}
		d := files.Damage()
		in, err := files.Info()
		if err != nil || files.Extent(false) != want || in.State != want || len(d) != holes || !strings.Contains(fmt.Sprint(d), what) || tears != torn || len(got) < all/2 {
			t.Errorf("%s: %s, want %s, %d records of %d, %d torn, %v, %v", filepath.Base(name), files.Extent(false), want, len(got), all, tears, d, err)
		}
		if len(d) > 0 && (d[0].File != name || d[0].Cut != (want == Cut) || d[0].Bytes != int64(len(edit(was)))) {
			t.Errorf("%+v", d[0])
		}
	}
	f(last, cut(len(whole[last])), Whole, "", 0, 0)
	const off = "its head is cut off"
	for _, n := range []int{0, 5, 8, 31, 32, 40} {
		f(next, cut(n), Cut, off, 1, 0) // just begun
		f(last, cut(n), Cut, off, 1, 0)
		f(middle, cut(n), Damaged, off, 1, 1)
		f(first, cut(n), Damaged, off, 1, 0)
	}
	for at, what := range map[int]string{3: "does not begin with", 13: "sum of its head", 17: "sum of its head", 26: "a head of", 50: "sum of its head"} {
		f(next, flip(at), Damaged, what, 1, 0)
		f(middle, flip(at), Damaged, what, 1, 1)
	}
	f(next, func([]byte) []byte { return []byte("push, but not so") }, Damaged, "does not begin with", 1, 0)
	f(filepath.Join(dir, "copy.tee"), cut(0), Damaged, off, 1, 0) // of no place
	f(filepath.Join(dir, segmentName(uint32(len(names)+2))), cut(0), Damaged, "files before it are missing", 2, 0)
}

// What has no head at all, or one of another version, is no recording.
func TestNoHeadAtAll(t *testing.T) {
	f := func(what string, files ...string) {
		t.Helper()
		dir := t.TempDir()
		for i, text := range files {
			if err := os.WriteFile(filepath.Join(dir, segmentName(uint32(i+1))), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := OpenFiles(dir); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), segmentName(1)) || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	f("its head is cut off", "")
	f("its head is cut off", "pushte", "")
	f("does not begin with", "something else", "")
	f("version 2", fileMagic+"\x02\x00\x00\x00"+strings.Repeat("\x00", 20), "")
}

// A recording breaks off at the end of its last file only.
func TestExtent(t *testing.T) {
	f := func(ended bool, want Extent, closed bool, holes ...Damage) {
		t.Helper()
		files := Files{all: []*segment{{closed: true}, {closed: closed}}, holes: holes}
		if got := files.Extent(ended); got != want {
			t.Errorf("%+v, closed: %v, end told: %v: %s, want %s", holes, closed, ended, got, want)
		}
	}
	f(true, Whole, true)
	f(true, Whole, false) // only the index is missing
	f(false, Whole, true) // it was full
	f(false, Cut, false)
	f(false, Cut, false, Damage{Cut: true})
	f(true, Damaged, true, Damage{})
	f(false, Damaged, false, Damage{}, Damage{Cut: true})
}

// Behind a hole nobody is known to be open who was before, and the next ones are.
func TestSeekBehindAHole(t *testing.T) {
	path := record(t, filepath.Join(t.TempDir(), "x.tee"), WriterOptions{}, story(60))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	const damaged = 20
	hole := f.segs[0].blocks[damaged]
	b[hole.offset+blockHeadBytes+9] ^= 0x10
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := damaged + 1; i < damaged+4; i++ {
		e := f.segs[0].blocks[i]
		if err := f.SeekTo(t.Context(), e.last); err != nil {
			t.Fatal(err)
		}
		if len(f.Damage()) != 1 || f.Extent(true) != Damaged {
			t.Fatalf("%v", f.Damage())
		}
		r := NewReader(f)
		for {
			k, _, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if k == KindOpen && !r.Open.Joined {
				break
			}
			if k != KindOpen {
				continue
			}
			if since := r.Open.At - int64(r.Open.Age); since <= hole.last {
				t.Errorf("from block %d: %d has joined, open since %d, and up to %d is missing", i, r.Open.Conn, since, hole.last)
			}
		}
	}
}

func TestSeekEndsWithItsContext(t *testing.T) {
	f := open(t, record(t, filepath.Join(t.TempDir(), "x.tee"), WriterOptions{}, story(60)))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := f.SeekTo(ctx, 140*second); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	f.Rewind()
	if got, want := words(t, f), wordsOf(t, story(60)); !slices.Equal(got, want) {
		t.Errorf("then %d records, want %d", len(got), len(want))
	}
}
