package session

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/slab"
)

func TestBindAndUnbind(t *testing.T) {
	r := newRig(t, "conn.groups_max", "3", "groups.max", "4")
	a, b := r.ws("user=a&group=g"), r.ws("user=b")
	a.ask(`{"type":"bind","group":"g"}`, "ok", "") // twice is once
	b.ask(`{"type":"bind","group":"g","ref":"x"}`, "ok", "")
	r.sendGroup("g", "1", 0)
	a.expectData("1")
	b.expectData("1")
	a.ask(`{"type":"unbind","group":"g"}`, "ok", "")
	a.ask(`{"type":"unbind","group":"g"}`, "error", "group")
	a.ask(`{"type":"unbind","group":"never"}`, "error", "group")
	r.sendGroup("g", "2", 0)
	b.expectData("2")
	a.ask(`{"type":"bind","group":"x"}`, "ok", "")
	a.ask(`{"type":"bind","group":"y"}`, "ok", "")
	a.ask(`{"type":"bind","group":"z"}`, "ok", "")
	a.ask(`{"type":"bind","group":"g"}`, "error", "group") // conn.groups_max
	b.ask(`{"type":"bind","group":"w"}`, "error", "group") // groups.max
	a.ask(`{"type":"unbind","group":"z"}`, "ok", "")
	b.ask(`{"type":"bind","group":"w"}`, "ok", "")
	r.sendGroup(all, "3", 0)
	a.expectData("3")
	b.expectData("3")
	a.conn.Close()
	b.conn.Close()
	r.eventually("groups end with their members", func() bool { return r.s.Router.Counts().Groups == 0 && r.table.members.Len() == 0 })
}

// counted opens a receipt for one broadcast item and waits for its end.
func (r *rig) counted(send func(id uint32)) receipt.Counts {
	r.t.Helper()
	rc := r.s.Receipts.Open()
	defer rc.Close()
	rc.Expect(1)
	send(rc.ID())
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := rc.Wait(ctx); err != nil {
		r.t.Fatalf("receipt: %v, %+v", err, rc.Counts())
	}
	return rc.Counts()
}

func TestBroadcastReachesEveryOpenConnectionOnce(t *testing.T) {
	const n = 30
	r := newRig(t, "broadcast.slice", "4")
	var clients []*client
	for i := range n {
		switch i % 3 {
		case 0:
			clients = append(clients, r.ws("user=u"))
		case 1:
			clients = append(clients, r.stream("user=u", "text/event-stream"))
		case 2:
			clients = append(clients, r.stream("user=u", "*/*"))
		}
	}
	r.raw() // a handshake under way gets nothing
	for _, i := range []int{3, 10, 11, 29} {
		clients[i].conn.Close()
		clients[i] = nil
	}
	r.eventually("four gone", func() bool { return r.s.Router.Counts().Links == n-4 })
	c := r.counted(func(id uint32) { r.sendGroup(all, "1", id) })
	if c.Delivered != n-4 {
		t.Errorf("delivered to %d, want %d", c.Delivered, n-4)
	}
	r.send("u", "2", slab.Meta{}) // right behind it, so nothing came in between
	for _, c := range clients {
		if c != nil {
			c.expectData("1")
			c.expectData("2")
		}
	}
}

// Members leave and join while a walk is under way, one connection per turn.
func TestGroupWalkWithMembersComingAndGoing(t *testing.T) {
	const n = 40
	r := newRig(t, "broadcast.slice", "1", "close.wait", "100ms")
	var clients []*client
	for range n {
		clients = append(clients, r.ws("user=u&group=g"))
	}
	var slots []uint32
	r.do(func() {
		for s := uint32(1); s < r.table.slots.High(); s++ {
			slots = append(slots, s)
		}
	})
	// The walk goes from the member that came last to the first.
	c := r.counted(func(id uint32) {
		r.sendGroup("g", "1", id)
		for i := 0; i < n; i += 4 {
			r.do(func() {
				slot := slots[i]
				switch conn := &r.table.conns[slot]; i % 8 {
				case 0:
					r.table.finish(slot, push.CloseKicked, "")
				default:
					_ = r.table.unbind(slot, conn, "g")
				}
			})
		}
	})
	late := r.ws("user=u&group=g")
	got := uint64(0)
	r.sendGroup(all, "2", 0)
	for i, c := range clients {
		f, err := c.tryRead()
		if err != nil {
			continue
		}
		if f.num("data") == 1 {
			got++
			if f, err = c.tryRead(); err != nil {
				continue
			}
		} else if i%4 != 0 {
			t.Errorf("member %d that stayed got %v", i, f)
		}
		if f.num("data") != 2 {
			t.Errorf("member %d got %v at the end", i, f)
		}
	}
	late.expectData("2")
	// Who got it and was cut off before he could read it cannot tell.
	if c.Delivered < got || c.Delivered > got+n/8 || c.Delivered < n*3/4 {
		t.Errorf("receipt says %d, %d clients saw it", c.Delivered, got)
	}
	r.do(func() {
		if len(r.table.walks) != 0 {
			t.Errorf("%d walks left", len(r.table.walks))
		}
	})
}

// A paced broadcast that comes to a loop without connections ends at once: when
// the loop itself is ending, no turn would come back to it.
func TestBroadcastToNobodyIsReleased(t *testing.T) {
	r := newRig(t, "broadcast.rate_max", "1")
	c := r.counted(func(id uint32) {
		r.do(func() { r.table.paid = 1 << 62 })
		r.sendGroup(all, "1", id)
	})
	if c.Delivered != 0 {
		t.Errorf("delivered to %d", c.Delivered)
	}
	r.eventually("released", func() bool { return r.s.Messages.Bytes() == 0 })
}

// The pace is an upper bound; what goes to one user goes on meanwhile.
func TestBroadcastPace(t *testing.T) {
	const n, rate, slice = 40, 100, 2
	r := newRig(t, "broadcast.rate_max", fmt.Sprint(rate), "broadcast.slice", fmt.Sprint(slice))
	one := r.ws("user=one")
	for range n {
		r.ws("user=many")
	}
	from := r.s.Clock.Now()
	r.sendGroup(all, `"all"`, 0)
	for i, done := 1, false; !done; i++ {
		r.send("one", fmt.Sprint(i), slab.Meta{})
		for f := one.read(); f.num("data") != i; f = one.read() {
			if fmt.Sprint(f["data"]) != "all" {
				t.Fatalf("frame %v, want %d", f, i)
			}
		}
		r.do(func() {
			served := float64(r.table.totals.Offered) - float64(i)
			if most := rate/10 + rate*float64(r.loop.Now()-from)/1e9 + slice; served > most {
				t.Fatalf("%.0f served, at most %.1f may be by now", served, most)
			}
			done = len(r.table.walks) == 0
		})
	}
}
