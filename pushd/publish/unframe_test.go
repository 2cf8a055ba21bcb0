package publish

import (
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// unframed feeds in in pieces of n bytes.
func unframed(in []byte, n int) (out []byte, ok bool) {
	u := unframer{chunked: true}
	for len(in) > 0 && !u.done {
		piece := in[:min(n, len(in))]
		in = in[len(piece):]
		for len(piece) > 0 && !u.done {
			payload, rest, err := u.next(piece)
			if err != nil {
				return out, false
			}
			out, piece = append(out, payload...), rest
		}
	}
	return out, u.end() == nil
}

func TestUnframe(t *testing.T) {
	f := func(in, want string, ok bool) {
		t.Helper()
		for _, n := range []int{1, 2, 3, 7, 1000} {
			if got, done := unframed([]byte(in), n); done != ok || ok && string(got) != want {
				t.Errorf("%q by %d: %q, complete %v; want %q, %v", in, n, got, done, want, ok)
			}
		}
	}
	f("5\r\nhello\r\n0\r\n\r\n", "hello", true)
	f("5;a=b\r\nhello\r\nA\r\n0123456789\r\n00\r\nX: y\r\nZ: z\r\n\r\n", "hello0123456789", true)
	f("5\nhello\n0\n\n", "hello", true)
	f("0\r\n\r\nrest", "", true)
	f("5\r\nhello", "", false)
	f("5\r\nhelloXX0\r\n\r\n", "", false)
	f("\r\n", "", false)
	f("-5\r\nhello\r\n", "", false)
	f("5 x\r\nhello\r\n0\r\n\r\n", "hello", true)
}

// Whatever net/http takes as a chunked body, we take alike.
func FuzzUnframe(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("5;a=b\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		small, ok1 := unframed(in, 1)
		whole, ok2 := unframed(in, 1<<20)
		if ok1 != ok2 || ok1 && !bytes.Equal(small, whole) {
			t.Fatalf("%q: by byte %q %v, whole %q %v", in, small, ok1, whole, ok2)
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(string(in))))
		// It leaves the trailer, whose end we ask for, to its caller.
		if err == nil && ok2 && !bytes.Equal(want, whole) {
			t.Fatalf("%q: %q, net/http: %q", in, whole, want)
		}
	})
}
