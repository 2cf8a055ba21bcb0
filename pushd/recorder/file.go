package recorder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"pushfleet/internal/record"
)

// source is one file of the kernel and the fields it holds.
type source struct {
	path   string // below the root
	fields []record.Field
	// parse puts the numbers of a text into v, which holds Missing for each
	// field.
	parse func(text []byte, v []int64)

	file *os.File // kept open: opening costs more than reading
	why  string   // it cannot be read; "" if it can
}

// textMax bounds the text of one file, in bytes; the rest is not looked at.
// /proc/stat of a machine with 1,000 cores and as many interrupts fits.
const textMax = 1 << 20

// open opens the file, if it can be.
func (s *source) open(root string) {
	f, err := os.Open(root + "/" + s.path)
	if err != nil {
		s.why = reason(err)
		return
	}
	s.file, s.why = f, ""
}

// read puts the file's numbers into v. buf is grown when the text is longer.
func (s *source) read(buf *[]byte, v []int64) {
	for i := range v {
		v[i] = record.Missing
	}
	if s.file == nil {
		return
	}
	n := 0
	for n < textMax {
		if n == len(*buf) {
			*buf = append(*buf, make([]byte, max(len(*buf), 8<<10))...)
		}
		m, err := s.file.ReadAt((*buf)[n:], int64(n))
		n += m
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.why = reason(err)
			return
		}
	}
	s.why = ""
	s.parse((*buf)[:n], v)
}

func (s *source) close() {
	if s.file != nil {
		s.file.Close() // only read from
		s.file = nil
	}
}

// reason says in words why a file is not there for us.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the kernel does not have it, or it is hidden (ProcSubset=pid)"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied (ProtectProc, or a container)"
	case errors.Is(err, syscall.EOPNOTSUPP):
		return "it is switched off in the kernel"
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
