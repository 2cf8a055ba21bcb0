package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

const (
	lineExtra = 4 << 10  // what a line may hold beside its data
	readSize  = 64 << 10 // free space offered to each read
)

// stream is one POST /v1/publish. It belongs to its goroutine.
type stream struct {
	p       *Publisher
	in      io.Reader
	frame   unframer
	results *results
	batch   *batch
	single  bool // ?results=each
	wait    time.Duration

	buf     []byte // lines not complete yet, then free space
	end     int    // of the bytes in buf
	scanned int    // bytes of buf known to hold no line end
	lineMax int
	skip    bool   // in a line that is too long
	line    uint64 // number of the line at the start of buf
	lines   uint64 // of the batch under way
	total   totals // with single: what the receipts of the lines said
}

// servePublish takes the connection over from net/http, so that it can be read
// with raw calls while results are written.
func (p *Publisher) servePublish(w http.ResponseWriter, r *http.Request) {
	wait, err := p.waitFor(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_wait", err.Error())
		return
	}
	asked := r.URL.Query().Get("results")
	if asked != "" && asked != "each" && asked != "refused" {
		refuse(w, http.StatusBadRequest, "bad_results", fmt.Sprintf("results=%.40s: give each, refused, or nothing for counts", asked))
		return
	}
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 {
		refuse(w, http.StatusHTTPVersionNotSupported, "http_version", "a publish stream needs HTTP/1.1; use it, or POST /v1/send")
		return
	}
	switch err := p.reserve(); err {
	case nil:
		defer p.unreserve()
	case errDraining:
		refuseDraining(w)
		return
	default:
		refuse(w, http.StatusTooManyRequests, "streams", err.Error())
		return
	}
	rcpt := p.Receipts.Open()
	if rcpt == nil {
		refuseBusy(w)
		return
	}
	defer rcpt.Close()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusNotImplemented, "hijack", fmt.Sprintf("publish stream: %v; use POST /v1/send", err))
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{}) // net/http's
	p.track(conn)
	defer p.untrack(conn)
	s := &stream{p: p, wait: wait, single: asked == "each",
		lineMax: int(p.Knobs.MessageBytes.Get()) + lineExtra, batch: p.newBatch(), results: newResults(conn, rcpt)}
	s.results.allBad = asked == "refused"
	s.frame = unframer{chunked: slices.Contains(r.TransferEncoding, "chunked"), left: max(0, r.ContentLength)}
	s.frame.done = !s.frame.chunked && s.frame.left == 0
	s.in = reader(conn)
	if early, _ := rw.Reader.Peek(rw.Reader.Buffered()); len(early) > 0 {
		s.in = io.MultiReader(bytes.NewReader(early), s.in)
	}
	s.serve(r)
	rcpt.Close() // lingering needs none
	linger(conn)
}

// serve answers from the first byte to the last.
func (s *stream) serve(r *http.Request) {
	s.results.raw(streamHead(r))
	failure := s.run()
	ctx, cancel := context.WithTimeout(context.Background(), s.wait)
	defer cancel()
	_ = s.results.receipt.Wait(ctx) // what is pending then is told
	s.finish(failure)
}

// streamHead begins the response before the body has come: results come while
// lines go.
func streamHead(r *http.Request) []byte {
	head := ""
	if r.Header.Get("Expect") == "100-continue" {
		head = "HTTP/1.1 100 Continue\r\n\r\n"
	}
	return []byte(head + "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n" +
		"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
}

// linger lets the last result reach a publisher that still writes: closing a
// socket with unread bytes would reset it.
func linger(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok && h.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, c, 1<<20)
	}
}

// run reads lines until the end of the body and says what ended it before.
func (s *stream) run() (failure string) {
	s.buf, s.line = make([]byte, s.lineMax+readSize), 1
	for !s.frame.done {
		n, err := s.in.Read(s.buf[s.end : s.end+readSize])
		if n > 0 {
			if err := s.take(s.buf[s.end : s.end+n]); err != nil {
				return err.Error()
			}
			s.results.relieve()
		}
		if err != nil && !s.frame.done {
			return s.ended(err)
		}
	}
	if s.end > 0 || s.skip { // a last line without a line end
		s.work(func() { s.endLine(s.buf[:s.end]) })
	}
	return ""
}

func (s *stream) ended(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errDraining.Error()
	case errors.Is(err, io.EOF):
		return "the body ended early: " + s.frame.end().Error()
	}
	return "read: " + err.Error()
}

// take handles what one read brought: all lines that are complete by now go
// out in one batch.
func (s *stream) take(in []byte) (err error) {
	for len(in) > 0 && !s.frame.done {
		var payload []byte
		if payload, in, err = s.frame.next(in); err != nil {
			break
		}
		s.end += copy(s.buf[s.end:], payload) // down over the framing
	}
	if bytes.IndexByte(s.buf[s.scanned:s.end], '\n') < 0 {
		s.scanned = s.end
		s.tooLong()
		return err
	}
	s.work(s.split)
	return err
}

// work runs f, which fills the batch, and posts it.
func (s *stream) work(f func()) {
	s.batch.begin(s.results.receipt) // before waiting, which is part of the latency
	s.lines = 0
	s.p.acquire()
	defer s.p.release()
	f()
	if !s.single {
		s.flush()
	}
}

func (s *stream) flush() {
	if s.lines == 0 {
		return
	}
	s.batch.post(s.p.Knobs.InboxWait.Get())
	s.p.count.lines.Add(s.lines)
	s.results.add(s.lines, &s.batch.tally)
}

// split handles the complete lines and moves the rest to the front.
func (s *stream) split() {
	start, from := 0, s.scanned
	for {
		i := bytes.IndexByte(s.buf[from:s.end], '\n')
		if i < 0 {
			break
		}
		s.endLine(s.buf[start : from+i])
		start = from + i + 1
		from = start
	}
	s.end = copy(s.buf, s.buf[start:s.end])
	s.scanned = s.end
	s.tooLong()
}

// tooLong gives up on a line that does not fit; its remainder is skipped.
func (s *stream) tooLong() {
	if s.end > s.lineMax {
		s.skip = true
	}
	if s.skip {
		s.end, s.scanned = 0, 0
	}
}

// endLine handles one line.
func (s *stream) endLine(line []byte) {
	number := s.line
	s.line++
	if s.skip || len(line) > s.lineMax {
		s.skip = false
		s.refuse(number, oversize(s.lineMax))
		return
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	m := &s.batch.send
	err := ParseSend(line, m)
	if err == nil {
		err = s.p.check(m, false)
	}
	if err != nil {
		s.refuse(number, err)
		return
	}
	s.lines++
	if s.batch.add(m); s.single {
		s.answer(number, string(m.ID.Val))
	}
}

func (s *stream) refuse(number uint64, err error) {
	s.p.count.bad.Add(1)
	s.p.count.lines.Add(1)
	if codeOf(err) == push.DropOversize.String() {
		s.p.count.dropped[push.DropOversize].Add(1)
		s.results.receipt.Count(push.DropOversize, 1)
	}
	if !s.single {
		s.results.badLine(number, err)
		return
	}
	s.total.lines++
	s.total.Counts = s.results.receipt.Counts()
	s.results.bad++
	s.results.each(refused(number, err))
}

// answer posts one line's items and waits for their outcome, with a receipt of
// its own. It holds a place of publish.concurrency only while it posts.
func (s *stream) answer(number uint64, id string) {
	b := s.batch
	b.post(s.p.Knobs.InboxWait.Get())
	s.p.count.lines.Add(1)
	s.p.release()
	ctx, cancel := context.WithTimeout(context.Background(), s.wait)
	_ = b.receipt.Wait(ctx)
	cancel()
	s.p.acquire()
	c := b.receipt.Counts()
	old := s.total
	s.total.lines++
	s.total.absent += b.tally.absent
	s.total.kept += b.tally.kept
	s.total.Counts = c
	d := s.total.since(&old)
	s.results.each(&pushdapi.PublishResult{Line: number, ID: id, Result: result(d.Counts, b.tally.absent, b.tally.kept)})
	b.begin(b.receipt)
}

func (s *stream) finish(failure string) {
	if s.single {
		s.results.mu.Lock()
		s.results.now = s.total
		s.results.mu.Unlock()
	}
	s.results.finish(failure)
}
