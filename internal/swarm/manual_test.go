package swarm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/push"
)

// ends collects what hooks say.
type ends struct{ open, closed, failed chan string }

func newEnds() *ends {
	return &ends{make(chan string, 256), make(chan string, 256), make(chan string, 256)}
}

func (e *ends) hooks() Hooks {
	return Hooks{
		Open:   func(i int) { e.open <- fmt.Sprint(i) },
		Closed: func(i int, why string) { e.closed <- fmt.Sprint(i, " ", why) },
		Failed: func(i int, why string) { e.failed <- fmt.Sprint(i, " ", why) },
	}
}

func next(t testing.TB, what string, c chan string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(time.Minute):
		t.Fatalf("never came: %s", what)
		return ""
	}
}

func dial(t testing.TB, s *Swarm, conn int, r Request) {
	t.Helper()
	if err := s.Dial(conn, r); err != nil {
		t.Fatal(err)
	}
}

func TestManualAsksAsTold(t *testing.T) {
	asked := make(chan string, 8)
	g := newFake(t, func(c *fakeConn) { asked <- fmt.Sprint(c.proto, " ", c.req.URL.RawQuery); c.wait() })
	e := newEnds()
	s := start(t, g, Options{Conns: 8, Manual: true, Workers: 2, Hooks: e.hooks()})
	<-s.Ready()
	if c := s.Snapshot(); c.Connecting+c.Opened+c.Failed != 0 {
		t.Errorf("it dialled by itself: %+v", c)
	}
	f := func(conn int, r Request, want string) {
		t.Helper()
		dial(t, s, conn, r)
		if got := next(t, "the request", asked); got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
		if got := next(t, "the opening", e.open); got != fmt.Sprint(conn) {
			t.Errorf("%s opened, want %d", got, conn)
		}
	}
	f(0, Request{Users: []string{"a b", "c"}, Groups: []string{"g&h"}, Query: "tee=1"}, "stream user=a+b&user=c&group=g%26h&tee=1")
	f(7, Request{Users: []string{"a"}, Groups: []string{"g"}, Token: "x.y", Proto: push.ProtoWS}, "ws token=x.y")
	f(4, Request{Users: []string{"a"}, Proto: push.ProtoPoll, Poll: 40 * time.Second}, "poll user=a&poll=40")
	f(3, Request{Users: []string{"a"}, Proto: push.ProtoSSE, Window: 2048}, "sse user=a")
}

func TestManualEndsOnceAndNumberIsFree(t *testing.T) {
	g := newFake(t, func(c *fakeConn) { c.wait() })
	e := newEnds()
	s := start(t, g, Options{Conns: 2, Manual: true, Hooks: e.hooks()})
	for range 3 {
		dial(t, s, 1, Request{Users: []string{"a"}, Proto: push.ProtoWS})
		next(t, "the opening", e.open)
		for range 2 { // the second finds nothing to end
			if err := s.Hang(1, true); err != nil {
				t.Fatal(err)
			}
		}
		if got := next(t, "the end", e.closed); got != "1 "+HungUp {
			t.Errorf("ended with %q", got)
		}
	}
	c := eventually(t, s, "three ends", func(c Counts) bool { return c.Closed == 3 })
	if c.ClosedBy[HungUp] != 3 || len(e.closed)+len(e.failed) != 0 || c.Open != 0 {
		t.Errorf("counts %+v, %d more ends", c, len(e.closed)+len(e.failed))
	}
}

func TestManualTellsWhatFailed(t *testing.T) {
	addr := nowhere(t)
	e := newEnds()
	s := start(t, nil, Options{Target: addr, Conns: 1, Manual: true, Hooks: e.hooks()})
	dial(t, s, 0, Request{Users: []string{"a"}})
	if got := next(t, "the failure", e.failed); !strings.Contains(got, "refused") {
		t.Errorf("failed with %q", got)
	}
	f := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	f("nobody", s.Dial(0, Request{}))
	f("beyond", s.Dial(1, Request{Users: []string{"a"}}))
	f("too much", s.Dial(0, Request{Users: []string{"a"}, Groups: strings.Split(strings.Repeat("ggggggg ", 2000), " ")}))
	auto, err := New(Options{Target: addr, Conns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer auto.Close()
	f("not manual", auto.Dial(0, Request{Users: []string{"a"}}))
}

// Not more handshakes at a time than asked for; one that waits for its turn can
// be ended.
func TestManualDialsTakeTurns(t *testing.T) {
	shake := make(chan struct{})
	greet := sync.OnceFunc(func() { close(shake) })
	defer greet()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() { // ended by ln.Close
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // ended by the swarm
				defer c.Close()
				<-shake
				io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				io.Copy(io.Discard, c)
			}()
		}
	}()
	e := newEnds()
	s := start(t, nil, Options{Target: netip.MustParseAddrPort(ln.Addr().String()), Conns: 40, Manual: true, HandshakesMax: 4, Hooks: e.hooks()})
	for i := range 40 {
		dial(t, s, i, Request{Users: []string{"a"}, Proto: push.ProtoStream})
	}
	eventually(t, s, "four handshakes", func(c Counts) bool { return c.Connecting == 4 })
	if err := s.Hang(39, false); err != nil {
		t.Fatal(err)
	}
	if got := next(t, "the end of one that waits", e.failed); got != "39 "+HungUp {
		t.Errorf("ended %q", got)
	}
	greet()
	c := eventually(t, s, "all others open", func(c Counts) bool { return c.Open == 39 })
	if c.Failed != 0 || c.Opened != 39 {
		t.Errorf("counts %+v", c)
	}
}

func TestManualPace(t *testing.T) {
	for _, held := range []bool{false, true} {
		t.Run(fmt.Sprint("held from the start: ", held), func(t *testing.T) {
			g := newFake(t, func(c *fakeConn) {
				c.r.Peek(1) // until the client has said something
				for range 200 {
					io.WriteString(c, wsFrame(opText, `{"seq":1,"data":"`+strings.Repeat("x", 982)+`"}`)) // 1005 bytes
				}
				c.wait()
			})
			e := newEnds()
			s := start(t, g, Options{Conns: 1, Manual: true, Hooks: e.hooks()})
			dial(t, s, 0, Request{Users: []string{"a"}, Proto: push.ProtoWS, Held: held, Window: 4096})
			next(t, "the opening", e.open)
			if !held {
				eventually(t, s, "hello", func(c Counts) bool { return c.Control == 1 })
			}
			f := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			f(s.Hold(0))
			f(s.Send(0, []byte(`{}`)))
			at := eventually(t, s, "its message sent", func(c Counts) bool { return c.Sent == 1 }).Bytes
			for _, n := range []uint32{1, 4000, 0, 50_000} {
				f(s.Grant(0, n))
				at += int64(n)
				if c := eventually(t, s, "what was granted", func(c Counts) bool { return c.Bytes >= at }); c.Bytes != at {
					t.Fatalf("read %d bytes, granted %d", c.Bytes, at)
				}
			}
			f(s.Free(0))
			eventually(t, s, "the rest", func(c Counts) bool { return c.Received == 200 })
		})
	}
}

func TestManualPollIsAskedOnce(t *testing.T) {
	lasts := make(chan string, 4)
	g := newFake(t, func(c *fakeConn) {
		lasts <- c.req.URL.Query().Get("last")
		io.WriteString(c, c.encode(dataJSON(1, `"pos":"e1-5","user":"a",`), false))
	})
	e := newEnds()
	s := start(t, g, Options{Conns: 1, Manual: true, Hooks: e.hooks()})
	for _, want := range []string{"", "e1-5"} {
		dial(t, s, 0, Request{Users: []string{"a"}, Proto: push.ProtoPoll, Last: true})
		if got := next(t, "the end", e.closed); got != "0 "+PollDone {
			t.Errorf("ended with %q", got)
		}
		if got := next(t, "the request", lasts); got != want {
			t.Errorf("asked behind %q, want %q", got, want)
		}
	}
}

func TestManualInboxIsBounded(t *testing.T) {
	s, err := New(Options{Target: netip.MustParseAddrPort("127.0.0.1:1"), Conns: 2, Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range inboxMax {
		if err := s.Send(0, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send(0, nil); !errors.Is(err, errInboxFull) {
		t.Errorf("one more message: %v", err)
	}
	if err := s.Grant(0, 1); !errors.Is(err, errInboxFull) {
		t.Errorf("a grant: %v", err)
	}
	for i := range 4 {
		if err := s.Hang(i/2, false); err != nil {
			t.Errorf("hang: %v", err)
		}
	}
	if err := s.Hang(0, false); !errors.Is(err, errInboxFull) {
		t.Errorf("one more hang: %v", err)
	}
}
