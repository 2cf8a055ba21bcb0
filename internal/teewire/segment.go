package teewire

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Damage is a part of a recording that cannot be read.
type Damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // where it begins
	Bytes  int64  `json:"bytes"`
	What   string `json:"what"`
}

func (d Damage) String() string {
	return fmt.Sprintf("%s: %d bytes at %d are lost: %s", d.File, d.Bytes, d.Offset, d.What)
}

// segment is one file of a recording.
type segment struct {
	path   string
	head   fileHead
	size   int64
	blocks []entry
	cut    *Damage // of its end
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
		return 0, bad("its head is cut off")
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
	s.blocks, ok = parseIndex(b, begin, at)
	return ok
}

// scan looks for the blocks one by one, up to the first that is not whole.
func (s *segment) scan(f io.ReaderAt, at int64) error {
	s.blocks = nil
	var b [blockHeadBytes]byte
	for at < s.size {
		n, err := f.ReadAt(b[:], at)
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		if n >= 4 && string(b[:4]) == indexMagic {
			return nil // all blocks were written, only the index was not
		}
		h, err := parseBlockHead(b[:n])
		switch {
		case n < blockHeadBytes:
			err = errCut
		case err == nil && int64(h.packed) > s.size-at-blockHeadBytes:
			err = errCut
		case err == nil && len(s.blocks) == EntriesMax:
			err = bad("there are more than %d blocks", EntriesMax)
		}
		if err != nil {
			s.cut = &Damage{s.path, at, s.size - at, err.Error()}
			return nil
		}
		s.blocks = append(s.blocks, entry{at, h.first, h.last, h.records})
		at += blockHeadBytes + int64(h.packed)
	}
	return nil
}

// errCut is of a block that was being written when the end came.
var errCut = errors.New("it was cut off: the last block is not whole")
