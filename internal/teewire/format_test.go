package teewire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pushfleet/internal/push"
)

var update = flag.Bool("update", false, "write testdata/v1.tee anew")

// TestGoldenFile reads a recording that was made when version 1 was: later
// programs must read it, too.
func TestGoldenFile(t *testing.T) {
	const path = "testdata/v1.tee"
	batches := story(4)
	var b Batch
	for _, rec := range [][]byte{sample()[len(Magic):]} { // a record of each kind
		for len(rec) > 0 {
			n := HeadBytes + int(le.Uint32(rec))
			batches = append(batches, rec[:n])
			rec = rec[n:]
		}
	}
	b.End(&End{At: 200 * second, Reason: "stopped", Detail: "by its operator"})
	batches = append(batches, b.Seal())
	if *update {
		os.Remove(path)
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		record(t, path, WriterOptions{}, batches)
	}
	f := open(t, path)
	equal(t, path, words(t, f), wordsOf(t, batches))
	if d := f.Damage(); len(d) > 0 {
		t.Error(d)
	}
}

// byHand is a file as FORMAT.md says, put together without this package's help:
// one block that is stored as it is.
func byHand(t *testing.T, index bool) (file []byte, batch []byte) {
	t.Helper()
	var head, rec Batch
	head.Head(someHead())
	rec.Close(&Close{At: 7000, Conn: 9, Reason: 1})
	rec.Close(&Close{At: 6000, Conn: 8, Reason: 1})
	u32 := binary.LittleEndian.AppendUint32
	u64 := binary.LittleEndian.AppendUint64
	crc := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

	h := head.Seal()
	file = u64(u32(u32([]byte("pushtees"), 1), 1), 0x1122334455667788)
	file = u32(file, uint32(len(h)))
	file = u32(file, crc(append(bytes.Clone(file), h...)))
	file = append(file, h...)

	batch = rec.Seal()
	if len(batch) > 255 {
		t.Fatal("too long for one byte")
	}
	n := uint32(len(batch))
	// A frame of zstd with one block that is not packed.
	packed := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, byte(n)}, byte(n<<3|1), byte(n>>5), 0)
	packed = append(packed, batch...)
	at := uint64(len(file))
	block := u32(u32(u32([]byte("TBLK"), uint32(len(packed))), n), 1)
	block = u32(u32(u32(u64(u64(block, 6000), 7000), 2), crc(packed)), 0)
	block = u32(block, crc(block))
	file = append(append(file, block...), packed...)

	if !index {
		return file, batch
	}
	end := uint64(len(file))
	entry := u32(u32(u64(u64(u64(nil, at), 6000), 7000), 2), 0)
	file = u32(append(file, "TIDX"...), 1)
	file = append(u32(u32(file, crc(entry)), 0), entry...)
	trailer := u32(u64(nil, end), 1)
	trailer = u32(trailer, crc(trailer))
	return append(append(file, trailer...), "pushteei"...), batch
}

func TestFormatByHand(t *testing.T) {
	for _, index := range []bool{true, false} {
		file, batch := byHand(t, index)
		path := filepath.Join(t.TempDir(), "x.tee")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		got, err := f.NextBatch()
		if err != nil || !bytes.Equal(got, batch) {
			t.Fatalf("index %v: %x, %v", index, got, err)
		}
		if from, to := f.Span(); from != 6000 || to != 7000 || len(f.Damage()) > 0 {
			t.Errorf("from %d to %d, %v", from, to, f.Damage())
		}
		if s, err := readSegment("x", bytes.NewReader(file), int64(len(file))); err != nil || s.head.recording != 0x1122334455667788 || s.head.number != 1 || len(s.blocks) != 1 || s.blocks[0].records != 2 {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestNumbers holds the numbers that stand for words in streams and files: they
// must not change. New ones come at the end.
func TestNumbers(t *testing.T) {
	f := func(what string, name func(int) string, want string) {
		t.Helper()
		var got []string
		for i := range len(strings.Fields(want)) {
			got = append(got, name(i+1))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", what, s, want)
		}
	}
	f("kinds", func(i int) string { return Kind(i).String() }, "head open in out publish close torn count end")
	f("reasons", func(i int) string { return Drop(i).String() }, "buffer cpu rate torn size sample file")
	f("redaction", func(i int) string { return Redact(i - 1).String() }, "payload names off")
	f("transports", func(i int) string { return push.Proto(i).String() }, "ws sse stream poll")
	f("classes", func(i int) string { return push.Class(i - 1).String() }, "normal volatile stored")
	f("closes", func(i int) string { return push.CloseReason(i).String() }, "client gone slow heartbeat handshake_timeout handshake_pressure "+
		"bad_request auth expired protocol utf8 oversize read_rate control kicked drain max_conns memory proxy poll_done error shadow")
}

// TestNewerFile is refused by its version, not by its form.
func TestNewerFile(t *testing.T) {
	file, _ := byHand(t, true)
	file[8] = 2
	if _, err := readSegment("x", bytes.NewReader(file), int64(len(file))); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
}

func FuzzSegment(f *testing.F) {
	file, _ := byHand(&testing.T{}, true)
	f.Add(file)
	file, _ = byHand(&testing.T{}, false)
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readSegment("x", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for _, e := range s.blocks {
			if e.offset < fileHeadBytes || e.offset+blockHeadBytes > int64(len(b)) {
				t.Fatalf("a block at %d of %d", e.offset, len(b))
			}
		}
	})
}

// FuzzBlock passes the sums, which the fuzzer would hardly guess, and reads the
// records of what comes out.
func FuzzBlock(f *testing.F) {
	file, batch := byHand(&testing.T{}, false)
	f.Add(file[len(file)-len(batch)-9:], uint32(len(batch)))
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(BlockMax))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, packed []byte, raw uint32) {
		h := blockHead{packed: uint32(len(packed)), raw: raw % BlockMax, sum: sum(packed)}
		got, err := unpack(dec, &h, packed, nil)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		files := Files{segs: []*segment{{blocks: []entry{{}}}}, block: 1, left: got}
		for range 1000 {
			if _, err := files.NextBatch(); err != nil {
				return
			}
		}
	})
}

// FuzzIndex passes the sum of an index.
func FuzzIndex(f *testing.F) {
	good := appendIndex(nil, []entry{{100, 1, 2, 3}, {200, 2, 5, 9}}, 300)
	f.Add(good[indexHeadBytes : len(good)-trailerBytes])
	f.Fuzz(func(t *testing.T, entries []byte) {
		b := append([]byte(indexMagic), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		le.PutUint32(b[4:], uint32(len(entries)/entryBytes))
		b = append(b, entries...)
		le.PutUint32(b[8:], sum(entries))
		es, ok := parseIndex(b, 100, 1<<20)
		if !ok {
			return
		}
		if !slices.IsSortedFunc(es, func(a, b entry) int { return int(a.offset - b.offset) }) {
			t.Fatalf("%+v", es)
		}
	})
}

// FuzzSurvey wants what a Reader finds.
func FuzzSurvey(f *testing.F) {
	whole := sample()
	f.Add(whole[len(Magic)+HeadBytes+int(whole[len(Magic)])+HeadBytes:], uint32(8))
	f.Fuzz(func(t *testing.T, records []byte, n uint32) {
		b := Batch{buf: append(make([]byte, HeadBytes), records...), n: n}
		if n == 0 || len(records) > BatchMax {
			return
		}
		sealed := b.Seal()
		first, last, count, err := survey(sealed)
		if err != nil && !errors.Is(err, ErrFormat) || err == nil && (count != n || first > last) {
			t.Fatalf("%d to %d, %d of %d, %v", first, last, count, n, err)
		}
		r := NewReader(&oneBatch{sealed})
		for {
			_, at, rerr := r.Next()
			if rerr != nil {
				return
			}
			if err == nil && (at < first || at > last) {
				t.Fatalf("%d is not between %d and %d", at, first, last)
			}
		}
	})
}
