package publish

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// published posts a whole body and returns the last result and all lines.
func published(t *testing.T, base, query string, body io.Reader) (last pushdapi.PublishResult, all []pushdapi.PublishResult) {
	t.Helper()
	resp, err := http.Post(base+"/v1/publish"+query, "application/x-ndjson", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		last = pushdapi.PublishResult{}
		if err := json.Unmarshal(sc.Bytes(), &last); err != nil {
			t.Fatalf("%s: %v", sc.Text(), err)
		}
		all = append(all, last)
	}
	if !last.Done {
		t.Fatalf("no last line: %+v", all)
	}
	return last, all
}

func TestStream(t *testing.T) {
	r := newRig(t)
	base := r.server(t).URL
	f := func(body io.Reader, want string) {
		t.Helper()
		last, _ := published(t, base, "", body)
		if got, _ := json.Marshal(last); string(got) != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	const three = `{"user":"ann","data":1}` + "\n\n \r\n" + `{"user":"nobody","data":2}` + "\r\n" + `{"user":"bob","data":3}`
	f(strings.NewReader(three), `{"lines":3,"delivered":3,"absent":1,"done":true}`)
	f(io.MultiReader(strings.NewReader(three)), `{"lines":3,"delivered":3,"absent":1,"done":true}`) // chunked
	f(strings.NewReader(""), `{"delivered":0,"done":true}`)
	f(strings.NewReader(three+"\nxx\n"), `{"lines":4,"delivered":3,"absent":1,"error":"1 of 4 lines were not accepted","done":true}`)
	f(strings.NewReader(strings.Repeat(`{"user":"bob","data":"0123456789"}`+"\n", 50_000)), `{"lines":50000,"delivered":50000,"done":true}`)
	c := r.Snapshot()
	if c.Lines != 50_010 || c.BadLines != 1 || c.Published != 50_009 || c.Streams != 0 && c.Streams != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestStreamBadLines(t *testing.T) {
	r := newRig(t, "message.bytes_max", "1KiB")
	base := r.server(t).URL
	good := `{"user":"bob","data":1}` + "\n"
	last, all := published(t, base, "", strings.NewReader(good+"{}\n"+strings.Repeat("x", 300_000)+"\n"+good+
		`{"user":"bob","data":"`+strings.Repeat("y", 2000)+"\"}\n"+good))
	errs := map[uint64]string{}
	for _, l := range all {
		if l.Line > 0 {
			errs[l.Line] = l.Code + ": " + l.Error
		}
	}
	if len(errs) != 3 || !strings.Contains(errs[2], "no_data: data is missing") || !strings.Contains(errs[3], "oversize: line longer than 5120") ||
		!strings.Contains(errs[5], "oversize: data has 2002 bytes") {
		t.Errorf("errors %v", errs)
	}
	if last.Lines != 6 || last.Delivered != 3 || last.Dropped["oversize"] != 2 {
		t.Errorf("last %+v", last)
	}
	last, all = published(t, base, "", strings.NewReader(strings.Repeat("x\n", 1000)))
	if len(all) > 110 || !strings.Contains(last.Error, "1000 of 1000 lines were not accepted; the first 100") {
		t.Errorf("%d lines of results, the last %+v", len(all), last)
	}
}

// Whoever asks for it is told of each line that is not accepted, also when they
// are more than may wait to be told.
func TestStreamTellsOfAllRefused(t *testing.T) {
	r := newRig(t)
	const lines = 20_000
	var body strings.Builder
	for i := range lines {
		if i%4 == 3 {
			body.WriteString(`{"user":"bob","data":1}` + "\n")
		} else {
			body.WriteString("x\n")
		}
	}
	last, all := published(t, r.server(t).URL, "?results=refused", strings.NewReader(body.String()))
	told, next, counted := 0, uint64(1), uint64(0)
	for _, l := range all {
		switch {
		case l.Line > 0:
			if told++; l.Line != next || l.Error == "" {
				t.Fatalf("told of line %d, want %d: %q", l.Line, next, l.Error)
			}
			if next++; next%4 == 0 {
				next++
			}
		case !l.Done:
			counted += l.Lines
		}
		if counted >= next { // who counts must have heard of the bad ones before
			t.Fatalf("%d lines counted, and told of the bad ones before %d", counted, next)
		}
	}
	if told != lines*3/4 || last.Delivered != lines/4 || last.Error != "15000 of 20000 lines were not accepted" {
		t.Errorf("told of %d, last %+v", told, last)
	}
}

func TestStreamEach(t *testing.T) {
	r := newRig(t)
	_, all := published(t, r.server(t).URL, "?results=each", strings.NewReader(
		`{"user":"ann","id":"a","data":1}`+"\nxx\n"+`{"user":"nobody","data":1}`+"\n"+`{"user":"ann","id":"a","data":1}`))
	var got []string
	for _, l := range all {
		b, _ := json.Marshal(l)
		got = append(got, string(b))
	}
	want := `{"line":1,"id":"a","delivered":2}
{"line":2,"delivered":0,"code":"bad_json","error":"byte 1: found 'x' where an object should be"}
{"line":3,"delivered":0,"absent":1}
{"line":4,"id":"a","delivered":0,"dropped":{"duplicate":1}}
{"lines":4,"delivered":2,"absent":1,"dropped":{"duplicate":1},"error":"1 of 4 lines were not accepted","done":true}`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

// The lines of one stream reach the connections of a user in their order.
func TestStreamKeepsOrder(t *testing.T) {
	r := newRig(t)
	var body strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&body, "{\"user\":\"bob\",\"data\":%d}\n", i)
	}
	published(t, r.server(t).URL, "", strings.NewReader(body.String()))
	for i, got := range r.loops.seen() {
		if want := fmt.Sprintf(`0.1.1 "user":"bob","data":%d}`, i); got != want {
			t.Fatalf("item %d is %s", i, got)
		}
	}
}

// raw is a publish stream written by hand.
type rawStream struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
}

func dialRaw(t *testing.T, network, addr, head string) *rawStream {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	s := &rawStream{c, t, bufio.NewReader(c)}
	s.write("POST /v1/publish HTTP/1.1\r\nHost: x\r\n" + head + "\r\n")
	return s
}

func (s *rawStream) write(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.Conn, text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *rawStream) chunk(text string) { s.write(fmt.Sprintf("%x\r\n%s\r\n", len(text), text)) }

// response reads the head of the answer and returns a reader of its lines.
func (s *rawStream) response() *bufio.Scanner {
	s.t.Helper()
	resp, err := http.ReadResponse(s.br, nil)
	if err != nil || resp.StatusCode != 200 {
		s.t.Fatal(resp, err)
	}
	return bufio.NewScanner(resp.Body)
}

func next(t *testing.T, sc *bufio.Scanner) (r pushdapi.PublishResult) {
	t.Helper()
	if !sc.Scan() {
		t.Fatalf("no more results: %v", sc.Err())
	}
	if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Results come while the stream is open, over a unix socket too.
func TestStreamAnswersWhileOpen(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: r.mux}
	go hs.Serve(ln) // ends with Close
	defer hs.Close()
	f := func(network, addr string) {
		t.Helper()
		s := dialRaw(t, network, addr, "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n")
		if line, _ := s.br.ReadString('\n'); !strings.Contains(line, "100 Continue") {
			t.Fatalf("answer to Expect: %q", line)
		}
		_, _ = s.br.ReadString('\n')
		sc := s.response()
		s.chunk(`{"user":"ann","data":1}` + "\n")
		if got := next(t, sc); got.Lines != 1 || got.Delivered != 2 || got.Done {
			t.Errorf("first result %+v", got)
		}
		s.chunk(`{"user":"bob",`) // a line in two chunks
		s.chunk(`"data":2}` + "\n")
		if got := next(t, sc); got.Lines != 1 || got.Delivered != 1 {
			t.Errorf("second result %+v", got)
		}
		s.chunk("bad\n")
		if got := next(t, sc); got.Line != 3 || got.Error == "" {
			t.Errorf("bad line: %+v", got)
		}
		s.write("0\r\n\r\n")
		last := next(t, sc)
		for !last.Done {
			last = next(t, sc)
		}
		if last.Lines != 3 || last.Delivered != 3 {
			t.Errorf("last result %+v", last)
		}
	}
	f("unix", path)
	f("tcp", r.server(t).Listener.Addr().String())
}

func TestStreamHostile(t *testing.T) {
	r := newRig(t, "message.bytes_max", "1KiB", "publish.wait", "10ms")
	addr := r.server(t).Listener.Addr().String()
	f := func(name, head, body, want string) {
		t.Helper()
		s := dialRaw(t, "tcp", addr, head)
		s.write(body)
		_ = s.Conn.(*net.TCPConn).CloseWrite()
		sc := s.response()
		last := next(t, sc)
		for !last.Done {
			last = next(t, sc)
		}
		if !strings.Contains(last.Error, want) {
			t.Errorf("%s: %+v, want an error with %q", name, last, want)
		}
	}
	const chunked = "Transfer-Encoding: chunked\r\n"
	f("half a chunk", chunked, "20\r\n{\"user\":", "ended early")
	f("no last chunk", chunked, "2\r\n{}\r\n", "ended early")
	f("no chunk size", chunked, "zz\r\n", "malformed chunked")
	f("huge chunk size", chunked, "fffffffffffffffff\r\n", "malformed chunked")
	f("endless size line", chunked, "1;"+strings.Repeat("x", 10_000), "malformed chunked")
	f("endless trailer", chunked, "0\r\n"+strings.Repeat("x", 10_000), "malformed chunked")
	f("half a body", "Content-Length: 100\r\n", `{"user":"bob","data":1}`, "ended early")
	f("one endless line", chunked, strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 100)+"0\r\n\r\n", "1 of 1 lines")
	if r.loops.posts != 0 {
		t.Errorf("%d posts: a line that is not complete was sent", r.loops.posts)
	}
	gone := dialRaw(t, "tcp", addr, chunked)
	gone.chunk(`{"user":"ann","data":1}` + "\n")
	gone.Close()
	until(t, "the streams have ended", func() bool { return r.Snapshot().Streams == 0 })
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// One byte at a time, through every state of framing and lines.
func TestStreamSlowBody(t *testing.T) {
	r := newRig(t)
	s := dialRaw(t, "tcp", r.server(t).Listener.Addr().String(), "Transfer-Encoding: chunked\r\n")
	sc := s.response()
	for _, b := range []byte("1b;ext=1\r\n{\"user\":\"ann\",\"data\":1}\n{\"u\r\n15\r\nser\":\"bob\",\"data\":2}\n\r\n000\r\nTrailer: x\r\n\r\n") {
		s.write(string(b))
	}
	last := next(t, sc)
	for !last.Done {
		last = next(t, sc)
	}
	if last.Lines != 2 || last.Delivered != 3 || last.Error != "" {
		t.Errorf("last %+v", last)
	}
}

func TestStreamHeldBack(t *testing.T) {
	r := newRig(t, "publish.inbox_wait", "20s")
	r.loops.let(10)
	done := make(chan pushdapi.PublishResult)
	base := r.server(t).URL
	go func() {
		last, _ := published(t, base, "", strings.NewReader(strings.Repeat(`{"user":"bob","data":1}`+"\n", 1000)))
		done <- last
	}()
	until(t, "the inbox is full", func() bool { return len(r.loops.seen()) == 10 })
	if code, _ := r.call("GET", "/v1/users/bob", ""); code != 200 {
		t.Error("a stream that is held back holds back others")
	}
	r.loops.let(-1)
	if last := <-done; last.Delivered != 1000 || len(last.Dropped) != 0 {
		t.Errorf("last %+v", last)
	}
}

func TestStreamPending(t *testing.T) {
	r := newRig(t)
	r.loops.hold = true
	base := r.server(t).URL
	last, _ := published(t, base, "?wait=20ms", strings.NewReader(`{"user":"bob","data":1}`))
	if last.Pending != 1 || last.Delivered != 0 {
		t.Errorf("held by the loop: %+v", last)
	}
	r.loops.releaseHeld()
}

func TestStreamBoundAndDrain(t *testing.T) {
	r := newRig(t, "publish.streams_max", "1")
	srv := r.server(t)
	s := dialRaw(t, "tcp", srv.Listener.Addr().String(), "Transfer-Encoding: chunked\r\n")
	sc := s.response()
	resp, err := http.Post(srv.URL+"/v1/publish", "", strings.NewReader(""))
	if err != nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	s.chunk(`{"user":"bob","data":1}` + "\n")
	next(t, sc)
	closed := make(chan error)
	go func() { closed <- r.Close(context.Background()) }()
	if last := next(t, sc); !last.Done || last.Delivered != 1 || !strings.Contains(last.Error, "draining") {
		t.Errorf("last result %+v", last)
	}
	s.Close()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// A publisher that reads no results is neither held up nor waited for.
func TestStreamUnreadResults(t *testing.T) {
	r := newRig(t)
	s := dialRaw(t, "tcp", r.server(t).Listener.Addr().String(), "Transfer-Encoding: chunked\r\n")
	line := `{"user":"bob","data":1}` + "\nbad\n"
	for range 2000 {
		s.chunk(strings.Repeat(line, 10))
	}
	s.write("0\r\n\r\n")
	until(t, "all lines were taken", func() bool { return r.Snapshot().Lines == 40_000 })
}

func TestStreamThroughCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl")
	}
	r := newRig(t)
	base := r.server(t).URL
	body := strings.Repeat(`{"user":"bob","data":"`+strings.Repeat("x", 200)+`"}`+"\n", 20_000) // Expect: 100-continue
	f := func(args ...string) {
		t.Helper()
		cmd := exec.Command(curl, append(args, "-sS", "--max-time", "20", "-X", "POST", base+"/v1/publish")...)
		cmd.Stdin = strings.NewReader(body)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), `{"lines":20000,"delivered":20000,"done":true}`) {
			t.Errorf("curl %v: %v: %.300s", args, err, out)
		}
	}
	f("-T", "-", "-H", "Transfer-Encoding: chunked")
	f("--data-binary", "@-")
}

func TestStreamThroughClient(t *testing.T) {
	r := newRig(t)
	c := pushdapi.New(r.server(t).Listener.Addr().String(), pushdapi.Options{})
	p := c.Publish(t.Context(), false, nil)
	for range 100 {
		if err := p.Send(&pushdapi.Send{User: "ann", Data: json.RawMessage(`1`)}); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := p.Close(); err != nil || last.Delivered != 200 {
		t.Errorf("last %+v, %v", last, err)
	}
}
