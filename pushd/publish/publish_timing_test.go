package publish

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"pushfleet/internal/push"
)

// lineFor is a message with data of about n bytes.
func lineFor(user string, n int) string {
	return fmt.Sprintf(`{"user":"%s","data":{"type":"chat","from":"somebody","text":"%s"}}`, user, strings.Repeat("lorem ipsum ", n/12))
}

func BenchmarkParse200(b *testing.B) {
	line := []byte(lineFor("user-12345", 200))
	var s Send
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if err := ParseSend(line, &s); err != nil {
			b.Fatal(err)
		}
	}
}

// crowd logs in n users and returns a batch of lines to random ones.
func crowd(b testing.TB, r *rig, n, lines int) string {
	for i := range n {
		if _, err := r.Router.Login(fmt.Sprintf("user-%d", i), push.MakeHandle(0, uint8(i%2), uint32(i+10), 1), 0, nil); err != nil {
			b.Fatal(err)
		}
	}
	var text strings.Builder
	for range lines {
		text.WriteString(lineFor(fmt.Sprintf("user-%d", rand.IntN(n)), 160) + "\n")
	}
	return text.String()
}

// batchOf returns a function that handles n lines as if one read had brought
// them: parse, encode, route, post, settle.
func batchOf(t testing.TB, users, n int) (run func(), bytes int) {
	r := newRig(t)
	return r.batchOf(t, users, n)
}

func rigBatch(t testing.TB, users, n int) (r *rig, run func()) {
	r = newRig(t)
	run, _ = r.batchOf(t, users, n)
	return r, run
}

func (r *rig) batchOf(t testing.TB, users, n int) (run func(), bytes int) {
	r.loops.quiet = true
	text := []byte(crowd(t, r, users, n))
	rcpt := r.Receipts.Open()
	t.Cleanup(rcpt.Close)
	s := &stream{p: r.Publisher, batch: r.newBatch(), lineMax: 64 << 10, results: newResults(nil, rcpt)}
	s.results.closed = true // no timer
	s.buf = make([]byte, len(text)+1)
	return func() {
		s.end, s.scanned = copy(s.buf, text), 0
		s.work(s.split)
	}, len(text)
}

func TestLinesAllocateNothing(t *testing.T) {
	run, _ := batchOf(t, 1000, 100)
	run()
	if n := testing.AllocsPerRun(20, run); n > 0 {
		t.Errorf("%v allocations per 100 lines, want none", n)
	}
}

// One iteration is one line; they come in batches of 100, as from a fast
// publisher.
func BenchmarkLine(b *testing.B) {
	run, bytes := batchOf(b, 10_000, 100)
	run()
	b.ReportAllocs()
	b.SetBytes(int64(bytes / 100))
	n := 0
	for b.Loop() {
		if n++; n%100 == 0 {
			run()
		}
	}
}

// The whole way over loopback TCP: lines in, counts out.
func BenchmarkStreamTCP(b *testing.B) {
	r := newRig(b)
	r.loops.quiet = true
	const batch = 100
	text := crowd(b, r, 10_000, batch)
	srv := r.server(b)
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	go io.Copy(io.Discard, c) // ends with Close
	fmt.Fprintf(c, "POST /v1/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(text), text)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%batch == 0 {
			if _, err := c.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
	}
	for r.Snapshot().Lines < uint64(n/batch*batch) {
	}
	io.WriteString(c, "0\r\n\r\n")
}

func BenchmarkSend(b *testing.B) {
	r := newRig(b)
	r.loops.quiet = true
	srv := r.server(b)
	body := lineFor("bob", 200)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := http.Post(srv.URL+"/v1/send", "", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
