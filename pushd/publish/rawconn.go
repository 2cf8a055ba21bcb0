package publish

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"pushfleet/internal/rawsys"
)

// rawReader reads a socket parked in the netpoller, with budgeted raw calls:
// an ordinary read would wake the runtime's monitor thread for each message of
// a quiet stream. For one goroutine.
type rawReader struct {
	rc     syscall.RawConn
	budget rawsys.Budget
	parked bool
	buf    []byte
	n      int
	err    error
	try    func(uintptr) bool // made once, so that Read allocates nothing
}

// reader returns the cheapest way to read c.
func reader(c net.Conn) io.Reader {
	if rc := rawConn(c); rc != nil {
		r := &rawReader{rc: rc}
		r.try = r.ready
		return r
	}
	return c
}

func rawConn(c net.Conn) syscall.RawConn {
	if sc, ok := c.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			return rc
		}
	}
	return nil
}

func (r *rawReader) Read(p []byte) (int, error) {
	r.buf, r.n, r.err = p, 0, nil
	if err := r.rc.Read(r.try); err != nil {
		return 0, err
	}
	switch {
	case r.err != nil:
		return 0, r.err
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// ready is called until it returns true; between two calls the goroutine was
// parked.
func (r *rawReader) ready(fd uintptr) bool {
	if r.parked {
		r.budget.Reset()
	}
	r.n, r.err = r.budget.Read(int(fd), r.buf)
	r.parked = r.err == unix.EAGAIN
	return !r.parked
}

// rawWriter is the same for writing. Each Write counts as a goroutine that has
// just been woken: results are written by timers.
type rawWriter struct {
	rc     syscall.RawConn
	budget rawsys.Budget
	rest   []byte
	err    error
	try    func(uintptr) bool
}

func writer(c net.Conn) io.Writer {
	if rc := rawConn(c); rc != nil {
		w := &rawWriter{rc: rc}
		w.try = w.ready
		return w
	}
	return c
}

func (w *rawWriter) Write(p []byte) (int, error) {
	w.rest, w.err = p, nil
	w.budget.Reset()
	err := w.rc.Write(w.try)
	n := len(p) - len(w.rest)
	w.rest = nil
	if err == nil {
		err = w.err
	}
	return n, err
}

func (w *rawWriter) ready(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, err := w.budget.Write(int(fd), w.rest)
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			w.err = err
			return true
		}
		w.rest = w.rest[n:]
	}
	return true
}
