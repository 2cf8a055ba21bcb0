package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/slab"
)

func events(s *Subscription, n int) (list []string) {
	deadline := time.After(patience)
	for range n {
		select {
		case e := <-s.C:
			text := fmt.Sprintf("%s %d %d", e.Event, e.Seq, e.Bytes)
			if e.Event == "close" || e.Event == "up" {
				text += " " + e.Note
			}
			list = append(list, text)
		case <-deadline:
			return append(list, "nothing more")
		}
	}
	return list
}

func TestTraceOfAWatchedUser(t *testing.T) {
	r := newRig(t)
	sub := r.s.Tracer.Watch("u")
	other := r.s.Tracer.Watch("nobody")
	r.ws("user=x") // not watched
	c := r.ws("user=u")
	r.send("u", "123", slab.Meta{})
	c.expectData("123")
	c.ask(`{"type":"ping"}`, "pong", "")
	r.kick(push.CloseKicked)
	c.conn.Close()
	want := []string{"open 0 0", "offer 1 11", "write 1 11", "up 0 15 ping", "close 0 0 kicked"}
	if got := events(sub, len(want)); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if len(other.C) != 0 {
		t.Errorf("%d events of a user that was not there", len(other.C))
	}
	sub.Close()
	sub.Close()
	other.Close()
	if r.s.Tracer.Active() {
		t.Error("somebody still watches")
	}
}

func TestTraceMayBeginLaterAndLosesRatherThanWaits(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=u")
	sub := r.s.Tracer.Watch("u")
	defer sub.Close()
	r.do(func() { r.table.SetTraced(r.table.handle(1), true) })
	const n = traceBuffer
	for i := range n { // two events each
		r.send("u", fmt.Sprint(i), slab.Meta{})
	}
	for i := range n {
		c.expectData(fmt.Sprint(i))
	}
	if len(sub.C) != traceBuffer || sub.Lost() != 2*n-traceBuffer {
		t.Errorf("%d events wait, %d lost; want %d and %d", len(sub.C), sub.Lost(), traceBuffer, 2*n-traceBuffer)
	}
	r.do(func() { r.table.SetTraced(r.table.handle(1), false) })
	r.send("u", "1", slab.Meta{})
	c.expectData("1")
	if sub.Lost() != 2*n-traceBuffer {
		t.Error("traced on")
	}
}

func TestDescribe(t *testing.T) {
	r := newRig(t, "queue.messages_max", "500")
	c := r.ws("user=u&group=g&group=h")
	c.ask(`{"type":"login","user":"v"}`, "ok", "")
	for i := range 3 {
		r.send("u", fmt.Sprint(i), slab.Meta{})
		c.expectData(fmt.Sprint(i))
	}
	var d pushdapi.Conn
	ok := false
	r.do(func() { d, ok = r.table.Describe(r.table.handle(1)) })
	if !ok || d.Conn != "0.1.1" || d.User != "v" || d.Proto != "ws" || d.State != "open" || d.Peer != c.conn.LocalAddr().String() {
		t.Errorf("%v %+v", ok, d)
	}
	slices.Sort(d.Users)
	slices.Sort(d.Groups)
	if !slices.Equal(d.Users, []string{"u", "v"}) || !slices.Equal(d.Groups, []string{"g", "h"}) {
		t.Errorf("users %v, groups %v", d.Users, d.Groups)
	}
	if d.Totals.Offered != 3 || d.Totals.Delivered != 3 || d.Totals.Received != 1 || d.Totals.BytesOut != 3*9 || d.QueueLimit != 500 {
		t.Errorf("totals %+v, limit %d", d.Totals, d.QueueLimit)
	}
	if d.In <= 0 || d.Out <= 0 || d.AgeSeconds < 0 || d.AgeSeconds > 60 {
		t.Errorf("rates %v, %v, age %v", d.In, d.Out, d.AgeSeconds)
	}
	if d.TCP == nil || d.TCP.State != "established" || d.TCP.CongestionWindow == 0 || d.TCP.SegmentsOut == 0 || d.TCP.RTTSeconds <= 0 {
		t.Errorf("TCP %+v", d.TCP)
	}
	r.do(func() { _, ok = r.table.Describe(push.MakeHandle(0, 0, 1, 2)) })
	if ok {
		t.Error("a connection that never was is described")
	}
}

func TestBacklogAndSnapshotCountWhatWaits(t *testing.T) {
	r := newRig(t, "queue.messages_max", "40", "queue.bytes_max", "64MiB")
	r.ws("user=idle")
	c := r.blocked("u", 60, 64<<10)
	var b, hard Backlog
	var s Snapshot
	var d pushdapi.Conn
	for b.OverHard == 0 { // the kernel may have taken one more meanwhile
		r.send("u", `"`+pad(64<<10)+`"`, slab.Meta{})
		r.eventually("inbox empty", func() bool { return r.loop.Inbox() == 0 })
		r.do(func() {
			b, hard = r.table.Backlog(0.5), r.table.Backlog(2)
			r.table.Snapshot(&s)
			d, _ = r.table.Describe(r.table.handle(2))
		})
	}
	if b.Conns != 1 || b.OverSoft != 1 || hard.OverSoft != 0 || b.OldestSeconds < 0 || b.OldestSeconds > 60 {
		t.Errorf("backlog %+v, %+v", b, hard)
	}
	if s.Totals.Queued != 40 || s.Totals.QueuedBytes < 40*64<<10 || s.Live != 2 || s.SlabBytes == 0 || s.Totals.Open[push.ProtoWS] != 2 {
		t.Errorf("snapshot %+v, %d live, %d bytes", s.Totals, s.Live, s.SlabBytes)
	}
	if got := s.Totals.Delivered + uint64(s.Totals.Queued) + s.Totals.DroppedTotal(); got != s.Totals.Offered {
		t.Errorf("%d offered, but %d delivered, waiting or dropped", s.Totals.Offered, got)
	}
	if d.Queued != 40 || d.OldestSeconds < 0 || d.Wait.State == "none" || d.TCP == nil || d.TCP.SendBufferBytes == 0 {
		t.Errorf("%+v, TCP %+v", d, d.TCP)
	}
	c.reset()
	r.eventually("gone", func() bool { return r.table.Backlog(0.5) == Backlog{} })
	row := r.s.Closed.List(push.CloseGone, 1)[0]
	if row.Queued < 38 || row.User != "u" || row.Drops != uint64(s.Totals.DroppedTotal()) || row.Peak100 < 40 || row.In10 <= 0 ||
		!strings.Contains(row.Detail, "reset") || row.Peer != c.LocalAddr().String() || row.Proto != "ws" {
		t.Errorf("closed row %+v", row)
	}
}
