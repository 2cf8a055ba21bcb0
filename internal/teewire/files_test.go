package teewire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pushfleet/internal/push"
)

const second = int64(time.Second)

func someHead() *Head {
	return &Head{Version: Version, Node: "gw-1", Build: "0.1.0", Wall: time.Unix(1_000_000, 0), Mono: 100 * second, Sample: 5}
}

// story is a recording of so many seconds, a batch for each: a connection opens
// in every second and closes three later, and everything has an Out.
func story(seconds int) [][]byte {
	out := make([][]byte, 0, seconds)
	for i := range seconds {
		var b Batch
		at := 100*second + int64(i)*second
		if i == 0 {
			b.Head(someHead())
		}
		b.Open(&Open{At: at, Conn: uint64(i + 1), Proto: push.ProtoWS, Users: []string{fmt.Sprintf("u-%d", i%50)}})
		b.Out(&Out{At: at + 1, Conn: uint64(i + 1), Frames: 1, Bytes: 10, Queued: 4, Blocked: true})
		b.In(at+2, uint64(i+1), bytes.Repeat([]byte(fmt.Sprint(i)), 100))
		if i >= 3 {
			b.Close(&Close{At: at + 3, Conn: uint64(i - 2), Reason: push.CloseClient})
		}
		out = append(out, slices.Clone(b.Seal()))
	}
	return out
}

// record writes batches to a new recording and returns its path.
func record(t *testing.T, path string, o WriterOptions, batches [][]byte) string {
	t.Helper()
	w, err := Create(path, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append([][]byte{[]byte(Magic)}, batches...) {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *Files {
	t.Helper()
	f, err := OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// words reads everything that is left: kind, connection and time of each record.
func words(t *testing.T, f *Files) []string {
	t.Helper()
	var out []string
	for r := NewReader(f); ; {
		k, at, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		conn := map[Kind]uint64{KindOpen: r.Open.Conn, KindIn: r.In.Conn, KindOut: r.Out.Conn, KindClose: r.Close.Conn}[k]
		out = append(out, fmt.Sprintf("%s %d %d", k, conn, at))
	}
}

func wordsOf(t *testing.T, batches [][]byte) []string {
	t.Helper()
	var all []byte
	all = append(all, Magic...)
	for _, b := range batches {
		all = append(all, b...)
	}
	var out []string
	for r := NewReader(NewStream(bytes.NewReader(all))); ; {
		k, at, err := r.Next()
		if err != nil {
			return out
		}
		conn := map[Kind]uint64{KindOpen: r.Open.Conn, KindIn: r.In.Conn, KindOut: r.Out.Conn, KindClose: r.Close.Conn}[k]
		out = append(out, fmt.Sprintf("%s %d %d", k, conn, at))
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d records, want %d", what, len(got), len(want))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("  first difference at %d: %s, want %s", i, got[i], want[i])
				break
			}
		}
	}
}

func TestFilesHoldWhatWasWritten(t *testing.T) {
	batches := story(500)
	want := wordsOf(t, batches)
	f := func(name string, o WriterOptions) {
		t.Helper()
		files := open(t, record(t, filepath.Join(t.TempDir(), name), o, batches))
		equal(t, name, words(t, files), want)
		files.Rewind()
		equal(t, name+" again", words(t, files), want)
		if d := files.Damage(); len(d) > 0 {
			t.Errorf("%s: %v", name, d)
		}
		from, to := files.Span()
		if from != 100*second || to != 599*second+3 || files.Head.Node != "gw-1" || files.Head.Time(from) != time.Unix(1_000_000, 0) ||
			files.Head.Instant(time.Unix(1_000_007, 0)) != 107*second {
			t.Errorf("%s: from %d to %d of %+v", name, from, to, files.Head)
		}
	}
	f("folder", WriterOptions{})
	f("one.tee", WriterOptions{})
	f("a*strange[folder", WriterOptions{})
}

// big is a batch that packing does not make smaller.
func big(i, size int) []byte {
	var b Batch
	data := make([]byte, size)
	for j, x := 0, uint64(i)*0x9e3779b97f4a7c15+1; j < size; j++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		data[j] = byte(x)
	}
	for at := 0; at < size; at += RecordMax / 2 {
		b.In(100*second+int64(i), 7, data[at:min(size, at+RecordMax/2)])
	}
	return slices.Clone(b.Seal())
}

func TestFilesRotate(t *testing.T) {
	batches := story(1)
	for i := range 11 {
		batches = append(batches, big(i, 4<<20))
	}
	dir := record(t, filepath.Join(t.TempDir(), "r"), WriterOptions{SegmentBytes: SegmentMin}, batches)
	names, err := filepath.Glob(dir + "/*.tee")
	if err != nil || len(names) < 4 || filepath.Base(names[0]) != "00000001.tee" {
		t.Fatalf("%v %v", names, err)
	}
	for _, n := range names {
		if st, err := os.Stat(n); err != nil || st.Size() > SegmentMin || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", n, st, err)
		}
	}
	equal(t, "rotated", words(t, open(t, dir)), wordsOf(t, batches))

	// Without its first file, the head comes from the next one.
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	if got := words(t, f); !strings.HasPrefix(got[0], "head ") || len(f.Damage()) != 1 {
		t.Errorf("%s, %v", got[0], f.Damage())
	}
	// Without one in between, everything up to the next has a hole.
	if err := os.Remove(names[2]); err != nil {
		t.Fatal(err)
	}
	f = open(t, dir)
	if got := strings.Join(words(t, f), "\n"); strings.Count(got, "torn") != 1 || len(f.Damage()) != 2 {
		t.Errorf("%v", f.Damage())
	}
}

// TestFilesCutOff cuts a file everywhere: what is read is a beginning of what
// was written, and what is missing is told.
func TestFilesCutOff(t *testing.T) {
	batches := story(12)
	want := wordsOf(t, batches)
	path := record(t, filepath.Join(t.TempDir(), "x.tee"), WriterOptions{}, batches)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := range len(whole) {
		s, err := readSegment("x", bytes.NewReader(whole[:n]), int64(n))
		if err != nil {
			if !errors.Is(err, ErrFormat) || n > fileHeadBytes+200 {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		if len(s.blocks) < last {
			t.Fatalf("cut at %d: %d blocks, with less there were %d", n, len(s.blocks), last)
		}
		last = len(s.blocks)
		end := fileHeadBytes + len(s.head.head)
		if last > 0 {
			b := s.blocks[last-1].offset
			h, err := parseBlockHead(whole[b:])
			if err != nil {
				t.Fatal(err)
			}
			end = int(b) + blockHeadBytes + int(h.packed)
		}
		index := n >= end+4 && string(whole[end:end+4]) == indexMagic
		if told := s.cut != nil; told != (n > end && !index) {
			t.Fatalf("cut at %d, the last whole block ends at %d: %v", n, end, s.cut)
		}
	}
	if err := os.WriteFile(path, whole[:len(whole)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	got := words(t, f)
	if len(got) == 0 || len(got) >= len(want) || !slices.Equal(got, want[:len(got)]) || len(f.Damage()) != 1 || !strings.Contains(f.Damage()[0].What, "cut off") {
		t.Errorf("%d records of %d, %v", len(got), len(want), f.Damage())
	}
}

// TestFilesDamaged flips every byte of a file: records are those written, or
// the place of what is missing is told, in the stream too.
func TestFilesDamaged(t *testing.T) {
	batches := story(6)
	want := wordsOf(t, batches)
	path := record(t, filepath.Join(t.TempDir(), "x.tee"), WriterOptions{}, batches)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	holes := 0
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFiles(path)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d: %v", i, err)
			}
			continue
		}
		got, torn := []string{}, false
		for _, w := range words(t, f) {
			if strings.HasPrefix(w, "torn") {
				torn = true
			} else {
				got = append(got, w)
			}
		}
		rest := want
		for _, w := range got { // in order, with holes
			at := slices.Index(rest, w)
			if at < 0 {
				t.Fatalf("byte %d: %s was not written", i, w)
			}
			rest = rest[at+1:]
		}
		if missing := len(got) < len(want); missing && len(f.Damage()) == 0 || torn && !missing {
			t.Fatalf("byte %d: %d records of %d, torn %v, %v", i, len(got), len(want), torn, f.Damage())
		}
		if torn {
			holes++
		}
		f.Close()
	}
	if holes == 0 {
		t.Error("no damage was inside")
	}
}

func TestSeekTo(t *testing.T) {
	path := record(t, filepath.Join(t.TempDir(), "r"), WriterOptions{}, story(200))
	f := open(t, path)
	if err := f.SeekTo(t.Context(), 160*second+1); err != nil {
		t.Fatal(err)
	}
	r := NewReader(f)
	if k, _, err := r.Next(); err != nil || k != KindHead || r.Head.Node != "gw-1" {
		t.Fatalf("%v %+v %v", k, r.Head, err)
	}
	// Opened at 57, 58 and 59 s after the begin, and not closed before 60 s; the
	// block begins up to a second before.
	var first int64
	joined := map[uint64]Open{}
	for {
		k, at, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if k != KindOpen || !r.Open.Joined {
			first = at
			break
		}
		joined[r.Open.Conn] = r.Open
	}
	if first < 159*second || first > 160*second+1 {
		t.Errorf("it goes on at %d", first)
	}
	if len(joined) < 3 || len(joined) > 4 {
		t.Errorf("joined %+v", joined)
	}
	for c, o := range joined {
		if age := time.Duration(o.At - (100*second + int64(c-1)*second)); o.Age != max(0, age) || !o.Blocked || o.Queued != 4 || o.At > first {
			t.Errorf("%d: %+v, want the age %s", c, o, age)
		}
	}
	before := wordsOf(t, story(200))
	if at := r.Head.Mono; first-at < second || first-at > 2*second || r.Head.Time(first) != someHead().Time(first) {
		t.Errorf("joining begins at %d, the rest at %d, with the head %+v", at, first, r.Head)
	}
	for at, want := range map[int64]int{0: len(before), 1 << 62: 1 + 3} {
		if err := f.SeekTo(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if got := words(t, f); len(got) != want {
			t.Errorf("from %d: %d records, want %d: %v", at, len(got), want, got[:min(9, len(got))])
		}
	}
}

func TestInfo(t *testing.T) {
	batches := story(100)
	var b Batch
	b.Torn(&Torn{At: 200 * second, User: "u-9", Why: DropBuffer})
	b.End(&End{At: 201 * second, Reason: "stopped"})
	dir := record(t, filepath.Join(t.TempDir(), "r"), WriterOptions{}, append(batches, b.Seal()))
	f := open(t, dir)
	in, err := f.Info()
	if err != nil {
		t.Fatal(err)
	}
	var raw int64
	for _, b := range append(batches, b.Seal()) {
		raw += int64(len(b))
	}
	if in.Node != "gw-1" || in.Conns != 100 || in.Users != 50 || in.Peak != 4 || in.Records["open"] != 100 || in.Records["close"] != 97 || in.Records["publish"] != 0 ||
		in.Torn != 1 || in.Why != "stopped" || in.Raw != raw || in.Files != 1 || in.Bytes == 0 || in.Bytes > raw || in.From != time.Unix(1_000_000, 0) || in.To != time.Unix(1_000_101, 0) || in.Damage == nil {
		t.Errorf("%+v", in)
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	dir := record(t, filepath.Join(t.TempDir(), "r"), WriterOptions{}, story(3))
	f := func(path string, o WriterOptions, want string) {
		t.Helper()
		if _, err := Create(path, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	f(dir, WriterOptions{}, "holds a recording already")
	f(dir+"/00000001.tee", WriterOptions{}, "is there already")
	f(dir+"/00000001.tee/x", WriterOptions{}, "not a directory")
	f(t.TempDir(), WriterOptions{SegmentBytes: 1000}, "too small")
	g := func(path, want string) {
		t.Helper()
		if _, err := OpenFiles(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	g(t.TempDir(), "holds no recording")
	g(dir+"/nothing", "no such file")
	other := record(t, filepath.Join(t.TempDir(), "r"), WriterOptions{}, story(3))
	if err := os.Rename(other+"/00000001.tee", dir+"/00000002.tee"); err != nil {
		t.Fatal(err)
	}
	g(dir, "two recordings")
}

func TestWriterRefuses(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "r"), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	batches := story(2)
	f := func(b []byte) {
		t.Helper()
		if err := w.Write(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%v", err)
		}
	}
	f(batches[1]) // no head
	f(nil)
	f(batches[0][:50])
	damaged := bytes.Clone(batches[0])
	damaged[len(damaged)-1]++
	f(damaged)
	if err := errors.Join(w.Write(batches[0]), w.Close()); err != nil || w.Files() != 1 {
		t.Error(err)
	}
	if err := w.Write(batches[1]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("written behind the end: %v", err)
	}
}

func TestBytesMax(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	w, err := Create(dir, WriterOptions{BytesMax: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	batches := story(1)
	for i := range 10 {
		batches = append(batches, big(i, 600<<10))
	}
	fullAfter(t, w, batches, "it has its 3145728 bytes")
	if w.Bytes() > 3<<20 {
		t.Errorf("%d bytes", w.Bytes())
	}
	if f := open(t, dir); len(words(t, f)) < 5 || len(f.Damage()) > 0 {
		t.Errorf("%v", f.Damage())
	}
}

// fullAfter writes until there is no room, and closes.
func fullAfter(t *testing.T, w *Writer, batches [][]byte, want string) {
	t.Helper()
	var err error
	for _, b := range batches {
		if err = w.Write(b); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v, want %q", err, want)
	}
	if again := w.Write(batches[0]); again != err {
		t.Errorf("then %v", again)
	}
	if err := w.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestDiskFull fills a real disk, of 4 MiB.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small disk of its own is not allowed here: %v", err)
	}
	defer unix.Unmount(dir, 0)
	batches := story(1)
	for i := range 10 {
		batches = append(batches, big(i, 1<<20))
	}
	w, err := Create(dir+"/r", WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fullAfter(t, w, batches, "make room")
	f, err := OpenFiles(dir + "/r")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := words(t, f); len(got) < 4 || len(f.Damage()) > 0 {
		t.Errorf("%d records, %v", len(got), f.Damage())
	}
	if w, err = Create(dir+"/s", WriterOptions{FreeMin: 3 << 20}); err != nil {
		t.Fatal(err)
	}
	fullAfter(t, w, batches, "to stay free")
}

// What can hold nothing is known before anything is mirrored.
func TestRoomToBeginWith(t *testing.T) {
	f := func(path string, free int64, ok bool) {
		t.Helper()
		w, err := Create(path, WriterOptions{FreeMin: free})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.Room(); (err == nil) != ok {
			t.Errorf("%s, %d bytes to stay free: %v", path, free, err)
		}
	}
	dir := t.TempDir()
	f(dir+"/a", 1, true)
	f(dir+"/b.tee", 1, true)
	f(dir+"/c.tee", 1<<60, false)
	f(dir+"/nowhere/d.tee", 1, false)
}
