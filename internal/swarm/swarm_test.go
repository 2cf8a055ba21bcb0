package swarm

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRecordBudget(t *testing.T) {
	if n := unsafe.Sizeof(record{}); n > recordBytesMax {
		t.Errorf("record takes %d bytes, budget %d", n, recordBytesMax)
	}
	if n := unsafe.Sizeof(timer{}); n != 16 {
		t.Errorf("timer takes %d bytes, want 16", n)
	}
}

func TestReceivesOnEveryTransport(t *testing.T) {
	for _, proto := range []string{"ws", "sse", "stream", "poll", "ws,sse,stream,poll"} {
		t.Run(proto, func(t *testing.T) {
			g := newFake(t, func(c *fakeConn) { c.data(1, 2, 3); c.wait() })
			s := start(t, g, Options{Conns: 40, Protos: protos(t, proto), Workers: 3})
			c := eventually(t, s, "3 messages on each", func(c Counts) bool { return c.Received == 120 })
			<-s.Ready()
			if c.Open != 40 || c.Lost+c.Duplicates+c.OutOfOrder+c.Malformed+c.Failed != 0 || c.Stamped != 120 {
				t.Errorf("counts %+v", c)
			}
			l := s.Latency(false)
			if l.Kind[0].Count() != 120 || l.Kind[0].Max() <= 0 || l.Connect.Count() != 40 {
				t.Errorf("%d latencies, max %d ns, %d connects", l.Kind[0].Count(), l.Kind[0].Max(), l.Connect.Count())
			}
		})
	}
}

func TestChecksNumbers(t *testing.T) {
	f := func(seqs []int, lost, dup, order int64) {
		t.Helper()
		g := newFake(t, func(c *fakeConn) { c.data(seqs...); c.wait() })
		s := start(t, g, Options{Conns: 1})
		c := eventually(t, s, "all messages", func(c Counts) bool { return c.Received == int64(len(seqs)) })
		if c.Lost != lost || c.Duplicates != dup || c.OutOfOrder != order {
			t.Errorf("%v: lost %d duplicates %d out of order %d, want %d %d %d",
				seqs, c.Lost, c.Duplicates, c.OutOfOrder, lost, dup, order)
		}
	}
	f([]int{1, 2, 3}, 0, 0, 0)
	f([]int{1, 2, 5}, 2, 0, 0)
	f([]int{2}, 1, 0, 0)
	f([]int{1, 2, 2, 3}, 0, 1, 0)
	f([]int{1, 3, 2, 4}, 0, 0, 1)
	f([]int{1, 4, 3, 3}, 1, 1, 1)
	f([]int{1, 100, 2}, 98, 1, 0)
}

func TestDeclaredGapIsNotLost(t *testing.T) {
	gap := func(from, to int) string {
		return fmt.Sprintf(`{"type":"gap","from":%d,"to":%d,"count":%d,"reason":"overflow"}`, from, to, to-from+1)
	}
	f := func(name string, lost int64, script func(*fakeConn)) {
		t.Helper()
		g := newFake(t, func(c *fakeConn) { script(c); c.wait() })
		s := start(t, g, Options{Conns: 1, Protos: protos(t, "sse")})
		c := eventually(t, s, "the gap and the messages", func(c Counts) bool { return c.Received == 2 && c.Declared == 3 })
		if c.Lost != lost || c.Missing < lost {
			t.Errorf("%s: lost %d of %d missing, want %d", name, c.Lost, c.Missing, lost)
		}
	}
	f("before", 0, func(c *fakeConn) { c.data(1); c.control(gap(2, 4)); c.data(5) })
	f("after", 0, func(c *fakeConn) { c.data(1, 5); c.control(gap(2, 4)) })
	f("at the end", 0, func(c *fakeConn) { c.data(1, 2); c.control(gap(3, 5)) })
	f("too small", 1, func(c *fakeConn) { c.data(1); c.control(gap(2, 4)); c.data(6) })
}

func TestPollResumesAndSeesWhatItMissed(t *testing.T) {
	var polls atomic.Int64
	lasts := make(chan string, 16)
	g := newFake(t, func(c *fakeConn) {
		n := polls.Add(1)
		lasts <- c.req.URL.Query().Get("last")
		pos := map[int64]int{1: 1, 2: 2, 3: 6}[n] // 3, 4 and 5 are missing
		if n > 3 {
			c.wait()
			return
		}
		io.WriteString(c, c.encode(dataJSON(1, fmt.Sprintf(`"pos":"e1-%d","user":"u-0",`, pos)), false))
	})
	s := start(t, g, Options{Conns: 1, Protos: protos(t, "poll")})
	c := eventually(t, s, "three answers", func(c Counts) bool { return c.Received == 3 })
	if c.Lost != 3 || c.Duplicates != 0 || c.Opened != 1 {
		t.Errorf("counts %+v, want 3 lost on one connection", c)
	}
	for _, want := range []string{"", "e1-1", "e1-2", "e1-6"} {
		if got := <-lasts; got != want {
			t.Errorf("poll asked with last=%q, want %q", got, want)
		}
	}
}

func TestAnswersPingsAndClose(t *testing.T) {
	frames := make(chan string, 8)
	g := newFake(t, func(c *fakeConn) {
		io.WriteString(c, wsFrame(opPing, "hi"))
		b := make([]byte, 8)
		io.ReadFull(c.r, b)
		frames <- unmask(b)
		io.WriteString(c, wsFrame(opClose, "\x10\x69bye")) // 4201
		b = make([]byte, 8)
		io.ReadFull(c.r, b)
		frames <- unmask(b)
	})
	s := start(t, g, Options{Conns: 1})
	if got := <-frames; got != "\x8a\x82hi" {
		t.Errorf("answer to ping %q", got)
	}
	if got := <-frames; got != "\x88\x82\x03\xe8" {
		t.Errorf("answer to close %q", got)
	}
	c := eventually(t, s, "the close", func(c Counts) bool { return c.Closed == 1 })
	if c.ClosedBy["4201 bye"] != 1 || c.Pings != 1 || c.Pongs != 1 {
		t.Errorf("counts %+v", c)
	}
}

func unmask(b []byte) string {
	out := append([]byte(nil), b[:2]...)
	for i, x := range b[6:] {
		out = append(out, x^b[2+i&3])
	}
	return string(out)
}

func TestReconnectsAsTheCodeAsks(t *testing.T) {
	f := func(code int, again bool) {
		t.Helper()
		var opened atomic.Int64
		g := newFake(t, func(c *fakeConn) {
			if opened.Add(1) == 1 {
				c.control(fmt.Sprintf(`{"type":"close","code":%d,"reason":"test"}`, code))
			}
			c.wait()
		})
		s := start(t, g, Options{Conns: 1, Reconnect: true, Protos: protos(t, "stream")})
		c := eventually(t, s, "the close", func(c Counts) bool { return c.Closed == 1 })
		if c.ClosedBy[fmt.Sprintf("%d test", code)] != 1 {
			t.Errorf("closed by %v", c.ClosedBy)
		}
		if again {
			eventually(t, s, "a second session", func(c Counts) bool { return c.Opened == 2 && c.Open == 1 })
		} else if st := s.workers[0].stateOf(0); st != connEnded {
			t.Errorf("after %d the connection is in state %d, want ended", code, st)
		}
	}
	f(4001, false)
	f(4200, true)
	f(1012, true)
}

func (w *worker) stateOf(slot int) connState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[slot].state
}

func TestRetriesRefusedThenGivesUp(t *testing.T) {
	s := start(t, nil, Options{Target: nowhere(t), Conns: 2, TriesMax: 2})
	<-s.Ready()
	c := s.Snapshot()
	if c.GivenUp != 2 || c.Failed != 4 || c.Connecting != 0 || !has(c.FailedBy, "refused") {
		t.Errorf("counts %+v, want both given up after 2 tries", c)
	}
}

func TestStrangeServers(t *testing.T) {
	f := func(answer, proto, want string) {
		t.Helper()
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			io.WriteString(c, answer)
			io.Copy(io.Discard, c)
		}()
		s := start(t, nil, Options{Target: netip.MustParseAddrPort(ln.Addr().String()), Conns: 1, TriesMax: 1, Protos: protos(t, proto)})
		c := eventually(t, s, "an end", func(c Counts) bool { return c.GivenUp+c.Closed == 1 })
		if !has(c.FailedBy, want) && !has(c.ClosedBy, want) {
			t.Errorf("%q: failed by %v, closed by %v, want %q", answer, c.FailedBy, c.ClosedBy, want)
		}
		s.Close()
		<-done
	}
	f("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "ws", "http 503")
	f("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: no\r\n\r\n", "ws", "wrong Sec-WebSocket-Accept")
	f("HTTP/1.1 200 OK\r\n\r\n", "sse", "not chunked")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "sse", "bad chunk")
	f("garbage garbage garbage\r\n\r\n", "stream", "http 0")
	f(strings.Repeat("x", 20<<10), "stream", "head too long")
}

func TestUnshareGivesEachWorkerItsOwnTable(t *testing.T) {
	g := newFake(t, func(c *fakeConn) { c.data(1); c.wait() })
	// Two tables of at most so many descriptors hold more than one would.
	open, err := readHost()
	if err != nil {
		t.Fatal(err)
	}
	room := max(fdsReserved, open.fdsOpen) + 16
	o := Options{Target: g.addr(), Conns: 60, FDsMax: room + 20, Query: "resume=1"}
	if _, err := MakePlan(o); err == nil {
		t.Fatal("one table took all")
	}
	o.Unshare = true
	s := start(t, g, o)
	if s.Plan().Workers < 2 {
		t.Fatalf("plan %v: want several tables", s.Plan())
	}
	c := eventually(t, s, "a message on each", func(c Counts) bool { return c.Received == 60 })
	if c.Open != 60 {
		t.Errorf("counts %+v", c)
	}
}

func TestHooksAndSend(t *testing.T) {
	echoed := make(chan string, 4)
	g := newFake(t, func(c *fakeConn) {
		b := make([]byte, 6+len(`{"type":"ping"}`))
		io.ReadFull(c.r, b)
		echoed <- unmask(b)
		c.control(`{"type":"pong"}`)
		c.wait()
	})
	opened, messages := make(chan int, 1), make(chan string, 4)
	s := start(t, g, Options{Conns: 1, Hooks: Hooks{
		Open:    func(i int) { opened <- i },
		Message: func(_ int, m []byte) { messages <- string(m) },
	}})
	if err := s.Send(<-opened, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	if got := <-echoed; got != "\x81\x8f"+`{"type":"ping"}` {
		t.Errorf("server read %q", got)
	}
	if hello, pong := <-messages, <-messages; !strings.Contains(hello, "hello") || pong != `{"type":"pong"}` {
		t.Errorf("hook saw %q, %q", hello, pong)
	}
	if err := s.Send(1, nil); err == nil {
		t.Error("Send to a connection that does not exist")
	}
}

func TestEndsWithItsContext(t *testing.T) {
	g := newFake(t, func(c *fakeConn) { c.wait() })
	s, err := New(Options{Target: g.addr(), Conns: 3})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.Start(ctx)
	defer s.Close()
	eventually(t, s, "open connections", func(c Counts) bool { return c.Open == 3 })
	cancel()
	select {
	case <-s.Done():
	case <-time.After(time.Minute):
		t.Error("not done")
	}
}

func TestUserNamesAndTokens(t *testing.T) {
	queries := make(chan string, 2)
	g := newFake(t, func(c *fakeConn) { queries <- c.req.URL.RawQuery; c.wait() })
	start(t, g, Options{Conns: 1, User: func(int) string { return "a b" }})
	if q := <-queries; q != "user=a+b" {
		t.Errorf("query %q", q)
	}
	start(t, g, Options{Conns: 1, Token: func(int) string { return "x.y" }, Query: "resume=1"})
	if q := <-queries; q != "token=x.y&resume=1" {
		t.Errorf("query %q", q)
	}
}
