package session

import (
	"fmt"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws"
	"pushfleet/pushd/wire/ws/wstest"
)

func TestAnswersToCommands(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=u")
	f := func(command, typ, code, ref string) {
		t.Helper()
		if got := c.ask(command, typ, code); fmt.Sprint(got["ref"]) != ref {
			t.Errorf("%s answered %v, want ref %s", command, got, ref)
		}
	}
	f(`{"type":"ping"}`, "pong", "", "<nil>")
	f(`{"type":"ping","ref":7}`, "pong", "", "7")
	f(`{"type":"ping","ref":"a\"b"}`, "pong", "", `a"b`)
	f(`{"type":"up","data":{"x":1},"ref":1}`, "error", "no_uplink", "1")
	f(`{"type":"ack","seq":1,"ref":2}`, "ok", "", "2")
	c.say(`{"type":"ack","seq":1}`) // no answer
	f(`{"type":"ack","ref":3}`, "error", "missing_field", "3")
	f(`{"type":"fly","ref":4}`, "error", "unknown_type", "4")
	f(`{"type":"bind","ref":5}`, "error", "missing_field", "5")
	f(`{"type":"bind","group":"","ref":6}`, "error", "bad_field", "6")
	f(`[]`, "error", "bad_json", "<nil>")
	f(`{"type":`, "error", "bad_json", "<nil>")
	f(``, "error", "bad_json", "<nil>")
	r.do(func() {
		if n := r.table.totals.UplinkNone; n != 1 {
			t.Errorf("%d uplink frames counted, want 1", n)
		}
		if n := r.table.totals.Received; n != 13 {
			t.Errorf("%d messages counted, want 13", n)
		}
	})
}

// blocked opens a WebSocket whose socket takes no more, with messages waiting.
func (r *rig) blocked(user string, n, size int) *raw {
	r.t.Helper()
	c := r.rawBuffer(64 << 10).upgrade("user=" + user)
	r.smallSendBuffers()
	for range n {
		r.send(user, `"`+pad(size)+`"`, slab.Meta{})
	}
	r.full()
	return c
}

// full waits until some socket takes no more. The kernel may take a little more
// later, when it has moved bytes from one buffer to the other.
func (r *rig) full() {
	r.t.Helper()
	r.eventually("the socket is full", func() bool {
		blocked := false
		for s := uint32(1); s < r.table.slots.High(); s++ {
			conn := &r.table.conns[s]
			blocked = blocked || conn.is(flagBlocked) && conn.queue.Count > 0
		}
		return blocked && r.loop.Inbox() == 0
	})
}

// A pong comes behind the frame that is under way, before all that waits.
func TestPongOvertakesTheBacklog(t *testing.T) {
	r := newRig(t)
	const n = 200
	c := r.blocked("u", n, 4<<10)
	c.write(string(wstest.Frame(true, 0, wstest.PingOp, "hurry")))
	sent := uint64(0)
	r.do(func() { // as if one came right now
		sent = r.table.totals.Delivered
		r.table.control(1, &r.table.conns[1], ws.AppendPong(nil, []byte("now")))
	})
	pongs := map[string]uint64{}
	for got := uint64(0); got < n; {
		if f := c.frame(); f.Op == wstest.PongOp {
			pongs[string(f.Payload)] = got
		} else {
			got++
		}
	}
	if _, ok := pongs["hurry"]; !ok || len(pongs) != 2 {
		t.Errorf("pongs before the last message: %v", pongs)
	}
	if pongs["now"] > sent+1 {
		t.Errorf("%d messages before the pong, %d were in the socket", pongs["now"], sent)
	}
}

func TestViolationsCloseWithTheirCode(t *testing.T) {
	r := newRig(t, "read.message_bytes_max", "1KiB", "read.rate_max", "20")
	f := func(why push.CloseReason, frames ...[]byte) {
		t.Helper()
		c := r.rawWS("user=u")
		for _, b := range frames {
			c.write(string(b))
		}
		c.expectClose(why)
		c.Close()
		r.eventually("closed", func() bool { return r.table.Live() == 0 })
		if rows := r.s.Closed.List(push.CloseNone, 1); len(rows) != 1 || rows[0].Reason != why.String() || rows[0].Detail == "" && why != push.CloseReadRate {
			t.Errorf("closed: %+v, want %s", rows, why)
		}
	}
	f(push.CloseOversize, wstest.Frame(true, 0, wstest.Text, pad(1025)))
	f(push.CloseOversize, wstest.Frame(false, 0, wstest.Text, pad(1000)), wstest.Frame(true, 0, wstest.Continuation, pad(25)))
	f(push.CloseUTF8, wstest.Frame(true, 0, wstest.Text, "\"\xff\""))
	f(push.CloseProtocol, []byte{0x81, 0x02, 'h', 'i'}) // not masked
	f(push.CloseProtocol, wstest.Frame(true, 4, wstest.Text, "x"))
	f(push.CloseProtocol, wstest.Frame(true, 0, wstest.Continuation, "x"))
	var many [][]byte
	for range 41 { // a burst, and another one for a slow machine
		many = append(many, wstest.Frame(true, 0, wstest.PongOp, ""), wstest.Frame(true, 0, wstest.Text, `{"type":"ack","seq":1}`))
	}
	f(push.CloseReadRate, many...)
	var pings [][]byte
	for range 41 {
		pings = append(pings, wstest.Frame(true, 0, wstest.PingOp, ""))
	}
	f(push.CloseReadRate, pings...)
	c := r.ws("user=u") // as large as may be
	c.ask(`{"type":"ping","x":"`+pad(1024-len(`{"type":"ping","x":""}`))+`"}`, "pong", "")
}

func TestReadRateIsWhatMayBeSent(t *testing.T) {
	f := func(rate int64, gapMS, count uint32, want bool) {
		t.Helper()
		r := newRig(t, "read.rate_max", fmt.Sprint(rate), "close.wait", "100ms")
		r.ws("user=u")
		r.do(func() {
			c, all := &r.table.conns[1], true
			for range count {
				r.table.nowMS += gapMS
				all = all && r.table.allowed(1, c)
				c.received++
			}
			if all != want {
				t.Errorf("%d messages %d ms apart at %d/s: allowed %v, want %v", count, gapMS, rate, all, want)
			}
		})
	}
	f(10, 0, 10, true)
	f(10, 0, 11, false)
	f(10, 101, 1000, true)
	f(10, 90, 1000, false)
	f(1, 1001, 100, true)
	f(1000, 1, 10000, true)
	f(60_000, 0, 60_000, true)
	f(0, 0, 100_000, true)
}

// Who asks and never reads is closed, and holds no more than the knob says.
func TestUnreadAnswersClose(t *testing.T) {
	r := newRig(t, "queue.control_bytes_max", "4KiB", "read.rate_max", "0")
	c := r.blocked("u", 100, 8<<10)
	ping := string(wstest.Frame(true, 0, wstest.PingOp, strings.Repeat("p", 125)))
	for range 64 {
		if _, err := c.Conn.Write([]byte(ping)); err != nil {
			break
		}
	}
	r.eventually("closed", r.closed(push.CloseControl))
}

func TestBuffersOfTheNodeAreBounded(t *testing.T) {
	r := newRig(t, "conns.buffer_bytes_max", "1MiB", "read.message_bytes_max", "1MiB")
	var cs []*raw
	for range 20 {
		c := r.rawWS("user=u")
		c.write(string(wstest.Frame(false, 0, wstest.Text, pad(100<<10))))
		cs = append(cs, c)
	}
	r.eventually("some closed", r.closed(push.CloseMemory))
	r.eventually("the others wait", func() bool {
		n, used := r.table.Live(), r.table.buffers.Used()
		return n == 8 && used >= 8*100<<10 && used < 1<<20+128<<10
	})
	for _, c := range cs {
		c.reset()
	}
	r.eventually("buffers come back", func() bool { return r.table.buffers.Used() == 0 })
}
