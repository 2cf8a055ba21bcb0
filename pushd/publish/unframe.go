package publish

import (
	"bytes"
	"errors"
	"io"
)

// unframer takes an HTTP/1.1 body out of its framing as it comes in: it never
// waits for more than it was given, and copies nothing.
type unframer struct {
	chunked bool
	left    int64 // bytes of the body, or of the chunk, still to come
	state   uint8
	line    int  // bytes of the size or trailer line seen
	digits  int  // of the chunk size
	done    bool // the body is complete
}

// States between the data of chunks.
const (
	atSize    = iota // in the digits of the size line
	atExt            // behind them
	atData           // in the data; or, when none is left, its CR
	atDataEnd        // at the LF after the data
	atTrailer        // in the lines after the last chunk
)

// frameLineMax bounds a size line with its extensions, and all trailers.
const frameLineMax = 4096

var errChunk = errors.New("malformed chunked encoding; end the stream properly or use Content-Length") // constant

// next returns the first piece of payload in in, which may be empty, and what
// follows it.
func (u *unframer) next(in []byte) (payload, rest []byte, err error) {
	if !u.chunked {
		n := min(u.left, int64(len(in)))
		u.left -= n
		u.done = u.left == 0
		return in[:n], nil, nil // nothing may follow on a connection that is closed after
	}
	for i, c := range in {
		switch u.state {
		case atSize, atExt:
			err = u.sizeLine(c)
		case atData:
			if u.left > 0 {
				n := min(u.left, int64(len(in)-i))
				u.left -= n
				return in[i : i+int(n)], in[i+int(n):], nil
			}
			if u.state = atDataEnd; c == '\n' { // a bare LF, as net/http allows
				u.state = atSize
			} else if c != '\r' {
				err = errChunk
			}
		case atDataEnd:
			if u.state = atSize; c != '\n' {
				err = errChunk
			}
		case atTrailer:
			if u.trailer(c); u.line > frameLineMax {
				err = errChunk
			}
			if u.done {
				return nil, nil, nil
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}

func (u *unframer) sizeLine(c byte) error {
	if u.line++; u.line > frameLineMax {
		return errChunk
	}
	if c == '\n' {
		if u.digits == 0 {
			return errChunk
		}
		u.line, u.digits = 0, 0
		if u.state = atData; u.left == 0 {
			u.state = atTrailer
		}
		return nil
	}
	if u.state == atExt {
		return nil
	}
	v, ok := hexDigit(c)
	switch {
	case ok && u.digits < 15:
		u.left = u.left<<4 | int64(v)
		u.digits++
	case u.digits > 0 && bytes.IndexByte([]byte(" \t;\r"), c) >= 0:
		u.state = atExt
	default:
		return errChunk
	}
	return nil
}

// trailer skips lines until an empty one.
func (u *unframer) trailer(c byte) {
	u.line++
	switch c {
	case '\n':
		u.done = u.digits == 0
		u.digits = 0
	case '\r':
	default:
		u.digits++ // bytes of this line
	}
}

// end says what the end of the input means.
func (u *unframer) end() error {
	if u.done {
		return nil
	}
	return io.ErrUnexpectedEOF
}
