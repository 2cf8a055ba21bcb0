package teewire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// segment is one file of a recording.
type segment struct {
	path   string
	head   fileHead
	size   int64
	blocks []entry
	closed bool    // all its blocks were written: an index was begun
	cut    *Damage // from where on it cannot be read
	lost   bool    // all of it: its head cannot be read. The number is that of its name, 0 if that is none
}

// openSegment reads head and index of a file, or looks for the blocks if there
// is no index.
func openSegment(path string) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	return readSegment(path, f, st.Size())
}

// loseHead is a file of whose head err was found, if it is to be left out; ok
// is false if it is not to be read at all, as one of another version.
func loseHead(path string, err error) (s *segment, ok bool) {
	if _, ok := errors.AsType[*formatError](err); !ok {
		return nil, false
	}
	s = &segment{path: path, lost: true}
	if st, err := os.Stat(path); err == nil {
		s.size = st.Size()
	}
	d := damaged(path, 0, s.size, err)
	s.cut = &d
	base := filepath.Base(path)
	if n, err := strconv.ParseUint(strings.TrimSuffix(base, FileEnd), 10, 32); err == nil && base == segmentName(uint32(n)) {
		s.head.number = uint32(n)
	}
	return s, true
}

// segmentName is the name of a file in a folder.
func segmentName(number uint32) string { return fmt.Sprintf("%08d%s", number, FileEnd) }

func readSegment(path string, f io.ReaderAt, size int64) (*segment, error) {
	s := &segment{path: path, size: size}
	begin, err := s.readHead(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.readIndex(f, begin) {
		return s, nil
	}
	return s, s.scan(f, begin)
}

func (s *segment) readHead(f io.ReaderAt) (begin int64, err error) {
	fixed := make([]byte, min(fileHeadBytes, s.size))
	if _, err := f.ReadAt(fixed, 0); err != nil && err != io.EOF {
		return 0, err
	}
	h, n, want, err := parseFileHead(fixed)
	if err != nil {
		return 0, err
	}
	if int64(n) > s.size-fileHeadBytes {
		return 0, short("its head is cut off")
	}
	h.head = make([]byte, n)
	if _, err := f.ReadAt(h.head, fileHeadBytes); err != nil && err != io.EOF {
		return 0, err
	}
	if sum(fixed[:28], h.head) != want {
		return 0, bad("the sum of its head is wrong")
	}
	s.head = h
	return fileHeadBytes + int64(n), nil
}

// readIndex takes the blocks from the end of the file.
func (s *segment) readIndex(f io.ReaderAt, begin int64) bool {
	if s.size < begin+indexHeadBytes+trailerBytes {
		return false
	}
	var t [trailerBytes]byte
	if _, err := f.ReadAt(t[:], s.size-trailerBytes); err != nil && err != io.EOF {
		return false
	}
	at, n, ok := parseTrailer(t[:])
	if !ok || at < begin || at+indexBytes(n) != s.size {
		return false
	}
	b := make([]byte, indexHeadBytes+n*entryBytes) // no more than the file has
	if _, err := f.ReadAt(b, at); err != nil {
		return false
	}
	s.blocks, s.closed = parseIndex(b, begin, at)
	return s.closed
}

// scan looks for the blocks one by one, up to the first that is not whole.
func (s *segment) scan(f io.ReaderAt, at int64) error {
	s.blocks, s.closed = nil, false
	var b [blockHeadBytes]byte
	for at < s.size {
		n, err := f.ReadAt(b[:], at)
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		if n >= 4 && string(b[:4]) == indexMagic {
			s.closed = true // only the index was not written, or is damaged
			return nil
		}
		h, err := parseBlockHead(b[:n])
		switch {
		case n < blockHeadBytes:
			err = short(lastBlock)
		case err == nil && int64(h.packed) > s.size-at-blockHeadBytes:
			err = short(lastBlock)
		case err == nil && len(s.blocks) == EntriesMax:
			err = bad("there are more than %d blocks", EntriesMax)
		}
		if err != nil {
			d := damaged(s.path, at, s.size-at, err)
			s.cut = &d
			return nil
		}
		s.blocks = append(s.blocks, entry{at, h.first, h.last, h.records})
		at += blockHeadBytes + int64(h.packed)
	}
	return nil
}

// lastBlock tells of a block that was being written when the end came.
const lastBlock = "it was cut off: the last block is not whole"
