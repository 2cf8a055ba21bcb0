package stats

import (
	"net/netip"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

func TestClosedKeepsEachReasonApart(t *testing.T) {
	c := NewClosed(3)
	slot := uint32(0)
	add := func(r push.CloseReason, n int) {
		for range n {
			slot++
			c.Add(ClosedConn{Handle: push.MakeHandle(0, 1, slot, 1), Reason: r})
		}
	}
	add(push.CloseSlow, 2)    // 1 2
	add(push.CloseClient, 10) // 3…12
	add(push.CloseSlow, 1)    // 13
	add(push.CloseGone, 1)    // 14
	f := func(r push.CloseReason, n int, want ...uint32) {
		t.Helper()
		var got []uint32
		for _, row := range c.List(r, n) {
			h, err := push.ParseHandle(row.Conn)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, h.Slot())
		}
		if len(got) != len(want) {
			t.Errorf("List(%s, %d) = %v, want %v", r, n, got, want)
			return
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("List(%s, %d) = %v, want %v", r, n, got, want)
				return
			}
		}
	}
	f(push.CloseSlow, 10, 13, 2, 1)
	f(push.CloseClient, 2, 12, 11)
	f(push.CloseClient, 0, 12, 11, 10)
	f(push.CloseNone, 0, 14, 13, 12, 11, 10, 2, 1)
	f(push.CloseNone, 3, 14, 13, 12)
	f(push.CloseAuth, 5)
	add(push.CloseSlow, 5) // 15…19
	f(push.CloseSlow, 0, 19, 18, 17)
	if n := c.Totals(); n[push.CloseSlow] != 8 || n[push.CloseClient] != 10 || n[push.CloseGone] != 1 {
		t.Errorf("totals %v", n)
	}
	c.Add(ClosedConn{Reason: push.CloseReasonCount + 5})
	if n := c.Totals(); n[push.CloseError] != 1 {
		t.Error("an unknown reason is not counted as an error")
	}
}

func TestClosedRowSaysAll(t *testing.T) {
	at := time.Date(2026, 11, 21, 14, 3, 7, 0, time.UTC)
	c := ClosedConn{Handle: push.MakeHandle(0, 3, 0x1f20, 2), At: at, Peer: netip.MustParseAddrPort("203.0.113.7:51234"),
		User: "u-88121", Detail: "queue.messages_max", Delivered: 5, Received: 6, Age: 90 * time.Second, Drops: 7,
		Queued: 8, QueuedB: 9, In10: 10, Out10: 11, Peak100: 12, RTT: 212_000, Proto: push.ProtoWS, Reason: push.CloseSlow}
	want := pushdapi.ClosedRow{Conn: "3.1f20.2", User: "u-88121", Proto: "ws", Peer: "203.0.113.7:51234", Reason: "slow",
		Detail: "queue.messages_max", At: at, AgeSeconds: 90, Delivered: 5, Received: 6, Drops: 7,
		Queued: 8, QueuedB: 9, In10: 10, Out10: 11, Peak100: 12, RTTSeconds: 0.212}
	if got := c.Row(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
