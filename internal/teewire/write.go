package teewire

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// SegmentBytes is how large one file of a recording becomes if nothing is said.
const SegmentBytes = 64 << 20

// WriterOptions bound a recording.
type WriterOptions struct {
	SegmentBytes int64 // of one file; 0 for SegmentBytes, at least SegmentMin
	BytesMax     int64 // of all files together; 0 for no bound
	FreeMin      int64 // bytes that stay free on the disk; 0 for no bound
}

// SegmentMin is the smallest bound of one file: a block always fits.
const SegmentMin = blockPackedMax + FileHeadMax + 1<<20

// ErrFull is wrapped when a recording ends because there is no room for more:
// the disk is full, or a bound of WriterOptions is reached. What was written is
// whole and can be read.
var ErrFull = errors.New("no room for more of the recording")

// Writer writes batches to a recording. It has one owner. A process that is
// killed loses the block that it was collecting, at most a second or 1 MiB of
// traffic, and the index of the last file, which readers do without. Nothing is
// synced: a machine that loses power loses what the kernel had not written.
type Writer struct {
	path   string
	single bool // path is the one file
	o      WriterOptions

	id     uint64
	head   []byte // the batch with the record Head
	number uint32
	file   *os.File
	at     int64 // end of the file's last block
	before int64 // bytes of the files before
	index  []entry

	block blockHead
	raw   []byte // of the block that is collected
	out   []byte
	enc   *zstd.Encoder
	ended error // why nothing more is taken
}

// Create begins a recording. A path that ends with FileEnd becomes one file,
// however large; any other a folder of files. What is there is never
// overwritten. Nothing is written before the first block.
func Create(path string, o WriterOptions) (*Writer, error) {
	w := &Writer{path: path, single: strings.HasSuffix(path, FileEnd), o: o}
	if w.o.SegmentBytes == 0 {
		w.o.SegmentBytes = SegmentBytes
	}
	if w.o.SegmentBytes < SegmentMin {
		return nil, fmt.Errorf("files of %d bytes are too small for a recording: at least %d", o.SegmentBytes, SegmentMin)
	}
	if err := w.place(); err != nil {
		return nil, err
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	w.id = le.Uint64(id[:])
	var err error
	w.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	return w, err
}

// place looks whether there is room for a recording of this name.
func (w *Writer) place() error {
	if w.single {
		if _, err := os.Lstat(w.path); err == nil {
			return fmt.Errorf("%s is there already: record to another name, or remove it", w.path)
		}
		return nil
	}
	if err := os.MkdirAll(w.path, 0o700); err != nil {
		return fmt.Errorf("folder of the recording: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(escape(w.path), "*"+FileEnd))
	if err == nil && len(old) > 0 {
		return fmt.Errorf("%s holds a recording already: record to another folder, or remove it", w.path)
	}
	return err
}

// escape keeps Glob from reading a folder's name as a pattern.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// Write takes one sealed batch, or Magic, which is left out: a Writer may stand
// where a stream is written. The first batch must begin with the record Head.
// After an error nothing more is taken; what was written before can be read.
func (w *Writer) Write(b []byte) error {
	if w.ended != nil {
		return w.ended
	}
	if string(b) == Magic {
		return nil
	}
	first, last, records, err := survey(b)
	if err != nil {
		return err
	}
	if w.head == nil {
		if err := w.begin(b); err != nil {
			return err
		}
	}
	h := &w.block
	if h.batches > 0 && (len(w.raw)+len(b) > BlockMax || max(h.last, last)-min(h.first, first) > blockTime) {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if h.batches == 0 {
		h.first, h.last = first, last
	}
	h.first, h.last = min(h.first, first), max(h.last, last)
	h.batches++
	h.records += records
	if w.raw = append(w.raw, b...); len(w.raw) >= blockBytes {
		return w.Flush()
	}
	return nil
}

// begin takes over whose traffic it is.
func (w *Writer) begin(b []byte) error {
	r := NewReader(&oneBatch{b})
	if k, _, err := r.Next(); err != nil {
		return err
	} else if k != KindHead {
		return bad("it begins with a record of %s, not with a head", k)
	}
	var h Batch
	h.Head(&r.Head)
	if w.head = h.Seal(); len(w.head) > FileHeadMax {
		return bad("a head of %d bytes; there are at most %d", len(w.head), FileHeadMax)
	}
	return nil
}

// Flush writes what was collected so far.
func (w *Writer) Flush() error {
	if w.ended != nil || w.block.batches == 0 {
		return w.ended
	}
	if cap(w.out) < blockHeadBytes {
		w.out = make([]byte, 0, blockBytes/2)
	}
	w.out = w.enc.EncodeAll(w.raw, w.out[:blockHeadBytes])
	h := w.block
	h.packed, h.raw, h.sum = uint32(len(w.out)-blockHeadBytes), uint32(len(w.raw)), sum(w.out[blockHeadBytes:])
	h.append(w.out[:0])
	w.block, w.raw = blockHead{}, w.raw[:0]
	if err := w.put(entry{0, h.first, h.last, h.records}); err != nil {
		w.ended = err
	}
	return w.ended
}

// put writes the block that is in out.
func (w *Writer) put(e entry) error {
	if w.file != nil && !w.single && w.at+int64(len(w.out))+indexBytes(len(w.index)+1) > w.o.SegmentBytes || len(w.index) == EntriesMax {
		if w.single {
			return w.full("it has %d blocks, more than one file may have: record to a folder", EntriesMax)
		}
		if err := w.endFile(); err != nil {
			return err
		}
	}
	if err := w.room(); err != nil {
		return err
	}
	if w.file == nil {
		if err := w.nextFile(); err != nil {
			return err
		}
	}
	if err := w.append(w.out); err != nil {
		return err
	}
	e.offset = w.at
	w.index = append(w.index, e)
	w.at += int64(len(w.out))
	return nil
}

// room tells whether the block in out may be written.
func (w *Writer) room() error {
	need := int64(len(w.out)) + indexBytes(len(w.index)+1)
	if w.file == nil {
		need += fileHeadBytes + int64(len(w.head))
	}
	if most := w.o.BytesMax; most > 0 && w.Bytes()+need > most {
		return w.full("it has its %d bytes", most)
	}
	if w.o.FreeMin == 0 {
		return nil
	}
	return w.disk(need)
}

// Room tells whether the disk has room for a recording to begin with, and that
// it can be looked at. Later an ErrFull tells.
func (w *Writer) Room() error { return w.disk(0) }

// disk tells whether so many bytes leave enough of the disk free.
func (w *Writer) disk(need int64) error {
	var st unix.Statfs_t
	dir := w.path
	if w.single {
		dir = filepath.Dir(dir)
	}
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("room on the disk of %s: %w", w.path, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < w.o.FreeMin+need {
		return w.full("the disk has %d MiB left, and %d MiB are to stay free", free>>20, w.o.FreeMin>>20)
	}
	return nil
}

func (w *Writer) full(format string, args ...any) error {
	if w.Bytes() == 0 {
		return fmt.Errorf("%w: %s; make room, or record to another place than %s", ErrFull, fmt.Sprintf(format, args...), w.path)
	}
	return fmt.Errorf("%w: %s; the %d bytes in %s are whole", ErrFull, fmt.Sprintf(format, args...), w.Bytes(), w.path)
}

// append writes at the end of the file, or takes back what could be written.
func (w *Writer) append(b []byte) error {
	_, err := w.file.WriteAt(b, w.at)
	if err == nil {
		return nil
	}
	if terr := w.file.Truncate(w.at); terr != nil {
		err = errors.Join(err, terr)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w; the %d bytes in %s are whole: make room and record again", ErrFull, err, w.Bytes(), w.path)
	}
	return fmt.Errorf("write the recording: %w; the %d bytes before are whole", err, w.Bytes())
}

func (w *Writer) nextFile() error {
	name := w.path
	if !w.single {
		name = filepath.Join(w.path, segmentName(w.number+1))
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // it holds what users were sent
	if err != nil {
		return fmt.Errorf("begin a file of the recording: %w", err)
	}
	w.file, w.at, w.index = f, 0, w.index[:0]
	w.number++
	head := fileHead{w.number, w.id, w.head}
	b := head.append(nil)
	if err := w.append(b); err != nil {
		err = errors.Join(err, f.Close(), os.Remove(name)) // a file without a head could not be read
		w.file = nil
		w.number--
		return err
	}
	w.at = int64(len(b))
	return nil
}

// endFile writes the index.
func (w *Writer) endFile() error {
	if w.file == nil {
		return nil
	}
	b := appendIndex(nil, w.index, w.at)
	err := w.append(b)
	if err == nil {
		w.at += int64(len(b))
	}
	w.before += w.at
	w.at = 0
	err = errors.Join(err, w.file.Close())
	w.file = nil
	return err
}

// Close writes what was collected and the index. It returns what went wrong
// only now.
func (w *Writer) Close() error {
	told := w.ended
	err := w.Flush()
	if told != nil {
		err = nil
	}
	if w.ended == nil {
		w.ended = os.ErrClosed
	}
	if ierr := w.endFile(); ierr != nil && told == nil && err == nil {
		err = ierr // without the index it is read all the same
	}
	w.enc.Close()
	return err
}

// Bytes is the size of all files so far.
func (w *Writer) Bytes() int64 { return w.before + w.at }

// Files is how many files were begun.
func (w *Writer) Files() int { return int(w.number) }

// oneBatch is a source of a single batch.
type oneBatch struct{ b []byte }

// NextBatch implements Batches.
func (o *oneBatch) NextBatch() ([]byte, error) {
	if o.b == nil {
		return nil, io.EOF
	}
	b := o.b
	o.b = nil
	return b, nil
}
