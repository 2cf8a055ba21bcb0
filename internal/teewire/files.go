package teewire

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Files reads a recording as one stream: it is a source of Batches. What is
// damaged is left out, and a record Torn tells that everything up to its time
// has a hole. Files has one owner.
type Files struct {
	Head Head // of the first file that is there

	path  string
	all   []*segment // in order
	segs  []*segment // those that can be read, one at least
	holes []Damage
	dec   *zstd.Decoder

	seg, block int // the next one to read
	file       *os.File
	packed     []byte
	raw        []byte
	left       []byte   // of raw: batches that were not returned yet
	before     [][]byte // batches to return first
}

// OpenFiles opens a folder of files, or one file, that a Writer made or is
// making. Files that end in the middle are read up to their last whole block,
// and those of a folder whose head cannot be read are left out: see Damage.
func OpenFiles(path string) (*Files, error) {
	names, err := recordingFiles(path)
	if err != nil {
		return nil, err
	}
	f := &Files{path: path}
	if err := f.openAll(names); err != nil {
		return nil, err
	}
	if err := f.order(); err != nil {
		return nil, err
	}
	r := NewReader(&oneBatch{f.segs[0].head.head})
	if k, _, err := r.Next(); err != nil || k != KindHead {
		return nil, cmp.Or(err, bad("%s does not say whose traffic it holds", f.segs[0].path))
	}
	f.Head = r.Head
	f.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(BlockMax), zstd.WithDecoderMaxWindow(blockPackedMax))
	if err != nil {
		return nil, err
	}
	f.Rewind()
	return f, nil
}

// recordingFiles lists the files of a recording.
func recordingFiles(path string) ([]string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return []string{path}, nil
	}
	names, err := filepath.Glob(filepath.Join(escape(path), "*"+FileEnd))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s holds no recording: there is no *%s", path, FileEnd)
	}
	return names, err
}

// openAll reads what files say of themselves. One of them at least must.
func (f *Files) openAll(names []string) error {
	var first error
	for _, name := range names {
		s, err := openSegment(name)
		if err != nil {
			lost, ok := loseHead(name, err)
			if !ok {
				return err
			}
			s, first = lost, cmp.Or(first, err)
		}
		if f.all = append(f.all, s); !s.lost {
			f.segs = append(f.segs, s)
		}
	}
	if len(f.segs) == 0 {
		return first
	}
	return nil
}

// order sorts the files, refuses those of several recordings, and notes what is
// missing.
func (f *Files) order() error {
	byNumber := func(a, b *segment) int { return cmp.Compare(a.head.number, b.head.number) }
	slices.SortFunc(f.segs, byNumber)
	for i, s := range f.segs[1:] {
		before := f.segs[i]
		switch {
		case s.head.recording != before.head.recording:
			return fmt.Errorf("%s and %s are of two recordings: read one at a time", before.path, s.path)
		case s.head.number == before.head.number:
			return fmt.Errorf("%s and %s are the same part of the recording: remove one", before.path, s.path)
		}
	}
	slices.SortStableFunc(f.all, byNumber)
	before := uint32(0)
	for i, s := range f.all {
		if s.head.number > before+1 && len(f.all) > 1 {
			f.holes = append(f.holes, Damage{File: s.path, What: "files before it are missing"})
		}
		if before = s.head.number; s.cut != nil {
			d := *s.cut
			d.Cut = d.Cut && i == len(f.all)-1
			f.holes = append(f.holes, d)
		}
	}
	return nil
}

// Close ends reading.
func (f *Files) Close() error {
	f.dec.Close()
	return f.closeFile()
}

func (f *Files) closeFile() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// Rewind goes back to the beginning.
func (f *Files) Rewind() {
	f.seg, f.block, f.left, f.before = 0, 0, nil, nil
	f.closeFile()
	if f.segs[0].head.number > 1 { // the record Head is in a file that is not there
		f.before = append(f.before, f.segs[0].head.head)
	}
}

// NextBatch implements Batches.
func (f *Files) NextBatch() ([]byte, error) {
	for {
		if len(f.before) > 0 {
			b := f.before[0]
			f.before = f.before[1:]
			return b, nil
		}
		if len(f.left) > 0 {
			b, err := f.take()
			if err == nil {
				return b, nil
			}
			f.left = nil
			f.lose(&f.segs[f.seg].blocks[f.block-1], err)
			continue
		}
		if err := f.nextBlock(); err != nil {
			return nil, err
		}
	}
}

// take cuts a batch off what is left of a block.
func (f *Files) take() ([]byte, error) {
	if len(f.left) < HeadBytes {
		return nil, bad("a batch is cut off")
	}
	n := HeadBytes + int(le.Uint32(f.left))
	if n > len(f.left) || n > HeadBytes+BatchMax {
		return nil, bad("a batch is cut off")
	}
	b := f.left[:n:n]
	f.left = f.left[n:]
	return b, nil
}

// nextBlock reads the next block; a damaged one is told by a batch of its own.
func (f *Files) nextBlock() error {
	for f.block == len(f.segs[f.seg].blocks) {
		if f.seg == len(f.segs)-1 {
			return io.EOF
		}
		if err := f.nextSegment(); err != nil {
			return err
		}
		if len(f.before) > 0 {
			return nil
		}
	}
	e := &f.segs[f.seg].blocks[f.block]
	f.block++
	raw, err := f.readBlock(e)
	if err != nil {
		if !errors.Is(err, ErrFormat) {
			return fmt.Errorf("%s: %w", f.segs[f.seg].path, err)
		}
		f.lose(e, err)
		return nil
	}
	f.left = raw
	return nil
}

// nextSegment goes on to the next file. What is missing before it is told.
func (f *Files) nextSegment() error {
	old := f.segs[f.seg]
	f.seg++
	f.block = 0
	s := f.segs[f.seg]
	if (old.cut != nil || s.head.number != old.head.number+1) && len(s.blocks) > 0 {
		f.tear(s.blocks[0].first - 1) // what is there is not missing
	}
	return f.closeFile()
}

// lose notes a damaged block.
func (f *Files) lose(e *entry, err error) {
	s := f.segs[f.seg]
	end := s.size
	if f.block < len(s.blocks) {
		end = s.blocks[f.block].offset
	}
	d := damaged(s.path, e.offset, end-e.offset, err)
	d.Cut = false
	if !slices.Contains(f.holes, d) {
		f.holes = append(f.holes, d)
	}
	f.tear(e.last)
}

// tear tells that everything up to a time has a hole.
func (f *Files) tear(at int64) {
	var b Batch
	b.Torn(&Torn{At: at, Why: DropFile})
	f.before = append(f.before, b.Seal())
}

// readBlock returns the batches of a block, valid until the next one is read.
func (f *Files) readBlock(e *entry) ([]byte, error) {
	if f.file == nil {
		var err error
		if f.file, err = os.Open(f.segs[f.seg].path); err != nil {
			return nil, err
		}
	}
	var fixed [blockHeadBytes]byte
	if err := readAt(f.file, fixed[:], e.offset); err != nil {
		return nil, err
	}
	h, err := parseBlockHead(fixed[:])
	if err != nil {
		return nil, err
	}
	f.packed = slices.Grow(f.packed[:0], int(h.packed))[:h.packed]
	if err := readAt(f.file, f.packed, e.offset+blockHeadBytes); err != nil {
		return nil, err
	}
	if f.raw, err = unpack(f.dec, &h, f.packed, f.raw); err != nil {
		return nil, err
	}
	return f.raw, nil
}

func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return bad("a block is cut off")
	}
	return err
}

// unpack checks and unpacks the bytes of a block into buf, which it may
// replace.
func unpack(dec *zstd.Decoder, h *blockHead, packed, buf []byte) ([]byte, error) {
	if sum(packed) != h.sum {
		return nil, bad("the sum of a block is wrong")
	}
	raw, err := dec.DecodeAll(packed, slices.Grow(buf[:0], int(h.raw)))
	if err != nil {
		return nil, bad("unpack a block: %v", err)
	}
	if len(raw) != int(h.raw) {
		return nil, bad("a block has %d bytes, not %d", len(raw), h.raw)
	}
	return raw, nil
}

// Span is the time that the recording covers, on the node's clock. Both are 0
// if it holds no whole block.
func (f *Files) Span() (from, to int64) {
	begun := false
	for _, s := range f.segs {
		for _, e := range s.blocks {
			if !begun {
				from, to, begun = e.first, e.last, true
			}
			from, to = min(from, e.first), max(to, e.last)
		}
	}
	return from, to
}

// Time is the wall time of an instant of the node's clock.
func (h *Head) Time(at int64) time.Time { return h.Wall.Add(time.Duration(at - h.Mono)) }

// Instant is the node's clock at a wall time.
func (h *Head) Instant(t time.Time) int64 { return h.Mono + int64(t.Sub(h.Wall)) }
