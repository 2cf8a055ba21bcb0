package session

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws/wstest"
)

// open connects a client of any transport and reads up to its hello.
func (r *rig) open(p push.Proto, query string) *client {
	r.t.Helper()
	switch p {
	case push.ProtoWS:
		return r.ws(query)
	case push.ProtoSSE:
		return r.stream(query, "text/event-stream")
	case push.ProtoPoll:
		return r.stream(query+"&poll=30", "*/*")
	}
	return r.stream(query, "*/*")
}

// ended expects the goodbye of a transport without Close frames, and the end.
func (c *client) ended(why push.CloseReason) {
	c.t.Helper()
	if f := c.expectType("close"); f.num("code") != int(why.Code()) || f.str("reason") != why.String() {
		c.t.Fatalf("told %v, want %d %s", f, why.Code(), why)
	}
	if f, err := c.tryRead(); err == nil {
		c.t.Fatalf("after the goodbye: %v", f)
	}
}

func closeFrame(code uint16, reason string) string {
	return string(wstest.Frame(true, 0, wstest.CloseOp, string(binary.BigEndian.AppendUint16(nil, code))+reason))
}

func TestClientSaysGoodbye(t *testing.T) {
	r := newRig(t, "close.wait", "1m")
	f := func(echo []byte, pieces ...string) {
		t.Helper()
		c := r.rawWS("user=u")
		for i, p := range pieces {
			if i > 0 { // the first piece must have been read alone
				r.eventually("piece read", func() bool { return r.table.conns[1].inLen > 0 })
			}
			c.write(p)
		}
		if got := c.frame(); got.Op != wstest.CloseOp || string(got.Payload) != string(echo) {
			t.Errorf("answer %d %q, want a close with % x", got.Op, got.Payload, echo)
		}
		if rest := c.rest(); rest != "" {
			t.Errorf("after the close: %q", rest)
		}
		r.eventually("closed", func() bool { return r.table.Live() == 0 })
	}
	f([]byte{0x03, 0xe8}, closeFrame(1000, "bye"))
	f([]byte{0x0f, 0xa1}, closeFrame(4001, ""))
	f([]byte{0x03, 0xe8}, string(wstest.Frame(true, 0, wstest.CloseOp, "")))
	bye := closeFrame(1001, "going away")
	f([]byte{0x03, 0xe9}, bye[:4], bye[4:])
	f([]byte{0x03, 0xe9}, bye[:len(bye)-1], bye[len(bye)-1:])
	if n := r.s.Closed.Totals()[push.CloseClient]; n != 5 {
		t.Errorf("%d closed by the client, want 5", n)
	}
}

func TestClientLeavesWithoutAWord(t *testing.T) {
	r := newRig(t, "close.wait", "1m")
	for i, p := range protos {
		f := func(how string, leave func(c *net.TCPConn)) {
			t.Helper()
			c := r.open(p, "user=u")
			leave(c.conn.(*net.TCPConn))
			r.eventually(p.String()+" "+how, func() bool { return r.table.Live() == 0 })
		}
		f("closed", func(c *net.TCPConn) { c.Close() })
		f("half closed", func(c *net.TCPConn) { _ = c.CloseWrite() })
		f("reset", func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() })
		if n := r.s.Closed.Totals()[push.CloseGone]; int(n) != 3*(i+1) {
			t.Errorf("%s: %d gone, want %d", p, n, 3*(i+1))
		}
	}
	c := r.rawWS("user=u")
	r.send("u", "1", slab.Meta{})
	r.eventually("sent", func() bool { return r.table.totals.Delivered == 1 })
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.frame()
	if rest := c.rest(); rest != "" { // it reads to the end what was sent before
		t.Errorf("after the message: %q", rest)
	}
}

func (r *rig) kick(why push.CloseReason) (n int) {
	r.t.Helper()
	r.do(func() {
		for s := uint32(1); s < r.table.slots.High(); s++ {
			if r.table.conns[s].state != StateFree && r.table.Kick(r.table.handle(s), why) {
				n++
			}
		}
	})
	return n
}

func TestKick(t *testing.T) {
	r := newRig(t, "close.wait", "1m")
	for _, p := range protos[1:] {
		c := r.open(p, "user=u")
		r.kick(push.CloseKicked)
		c.ended(push.CloseKicked)
		c.conn.Close()
		r.eventually(p.String()+" closed", func() bool { return r.table.Live() == 0 })
	}
	c := r.rawWS("user=u")
	if n := r.kick(push.CloseKicked); n != 1 {
		t.Errorf("kicked %d", n)
	}
	if n := r.kick(push.CloseKicked); n != 0 {
		t.Errorf("kicked %d that were on their way out", n)
	}
	c.expectClose(push.CloseKicked)
	c.Close()
	h := r.raw() // not yet asked for anything
	r.eventually("accepted", func() bool { return r.table.totals.Open[push.ProtoNone] == 1 })
	r.kick(push.CloseKicked)
	if rest := h.rest(); rest != "" {
		t.Errorf("told %q", rest)
	}
	r.eventually("all closed", func() bool { return r.table.Live() == 0 })
	if n := r.s.Closed.Totals()[push.CloseKicked]; n != 5 {
		t.Errorf("%d kicked, want 5", n)
	}
}

// The client's answer to our Close ends the connection, in however many pieces
// it comes; what it sent before it had ours is skipped.
func TestAnswerToOurClose(t *testing.T) {
	r := newRig(t, "close.wait", "1m")
	f := func(pieces ...string) {
		t.Helper()
		c := r.rawWS("user=u")
		r.kick(push.CloseKicked)
		c.expectClose(push.CloseKicked)
		for _, p := range pieces {
			in := uint64(0)
			r.do(func() { in = r.table.totals.BytesIn })
			c.write(p)
			r.eventually("read", func() bool { return r.table.totals.BytesIn == in+uint64(len(p)) })
		}
		r.eventually("closed", func() bool { return r.table.Live() == 0 })
	}
	bye := closeFrame(4001, "")
	ping := string(wstest.Frame(true, 0, wstest.PingOp, "late"))
	text := string(wstest.Frame(true, 0, wstest.Text, `{"type":"ping"}`))
	f(bye)
	f(bye[:1], bye[1:])
	f(bye[:7], bye[7:])
	f(ping + text + bye)
	f(text[:9], text[9:]+bye[:3], bye[3:])
}

func TestCloseWaitEndsAClientThatDoesNotAnswer(t *testing.T) {
	r := newRig(t, "close.wait", "100ms")
	for _, p := range protos {
		c := r.open(p, "user=u")
		r.kick(push.CloseKicked)
		r.eventually(p.String()+" closed", func() bool { return r.table.Live() == 0 })
		c.conn.Close()
	}
	if n := r.s.Closed.Totals()[push.CloseKicked]; n != 4 {
		t.Errorf("%d kicked, want 4", n)
	}
}

// What waits is still delivered before a kick, an expiry and a drain.
func TestBacklogIsFlushedBeforeTheGoodbye(t *testing.T) {
	const n = 100
	f := func(why push.CloseReason) {
		t.Helper()
		r := newRig(t, "close.wait", "1m")
		c := r.blocked("u", n, 8<<10)
		r.kick(why)
		for i := 1; i <= n; i++ {
			if f := c.frame(); !strings.HasPrefix(string(f.Payload), fmt.Sprintf(`{"seq":%d,"data"`, i)) {
				t.Fatalf("%s: frame %d is %d %.40q", why, i, f.Op, f.Payload)
			}
		}
		c.expectClose(why)
	}
	f(push.CloseKicked)
	f(push.CloseExpired)
	f(push.CloseDrain)
}

func TestDrain(t *testing.T) {
	const window = 300 * time.Millisecond
	r := newRig(t, "close.wait", "1m")
	var others []*client
	for _, p := range protos[1:] {
		others = append(others, r.open(p, "user=u"))
	}
	w := r.rawWS("user=u")
	silent := r.raw()
	r.eventually("accepted", func() bool { return r.table.Live() == 5 })
	r.do(func() { r.table.Drain(window) })
	drained := func(f frame) {
		t.Helper()
		if f.str("type") != "drain" || f.num("after_ms") < 0 || f.num("after_ms") > int(window/time.Millisecond) {
			t.Errorf("told %v, want drain within %v", f, window)
		}
	}
	for _, c := range others {
		drained(c.read())
		c.ended(push.CloseDrain)
		c.conn.Close()
	}
	f, err := parseFrame(w.frame().Payload)
	if err != nil {
		t.Fatal(err)
	}
	drained(f)
	w.expectClose(push.CloseDrain)
	w.Close()
	if rest := silent.rest(); rest != "" {
		t.Errorf("told %q", rest)
	}
	r.eventually("all closed", func() bool { return r.table.Live() == 0 })
	if n := r.s.Closed.Totals()[push.CloseDrain]; n != 5 {
		t.Errorf("%d drained, want 5", n)
	}
	if c, err := net.Dial("tcp", r.addr); err == nil {
		c.Close()
		t.Error("a drained loop takes connections")
	}
}

// A client that polls on a kept connection is not served for ever either.
func TestDrainEndsKeptPolls(t *testing.T) {
	r := newRig(t, "handshake.timeout", "2m")
	c := r.raw()
	c.ask("user=u")
	r.eventually("poll waits", r.waiting(1))
	r.do(func() { r.table.Drain(time.Minute) })
	r.eventually("told", func() bool { return !r.table.drain.stepping() })
	r.send("u", "1", slab.Meta{})
	frames, _ := c.answer()
	if len(frames) != 2 || frames[0].str("type") != "drain" || frames[1].num("data") != 1 {
		t.Errorf("answer %v", frames)
	}
	if rest := c.rest(); rest != "" {
		t.Errorf("after the answer: %q", rest)
	}
}
