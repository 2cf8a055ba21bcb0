package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws/wstest"
)

// story is what a client was told: a number for each message, a gap as text.
type story struct {
	got  []string
	next int
	gone uint64 // numbers told in gaps
}

// hear reads frames until it has heard of number n, and holds them to the rule
// that no number is left out.
func (c *raw) hear(n int) (s story) {
	c.t.Helper()
	for s.next = 1; s.next <= n; {
		b := c.frame()
		f, err := parseFrame(b.Payload)
		if err != nil || b.Op != wstest.Text {
			c.t.Fatalf("after number %d: %d %.80q", s.next-1, b.Op, b.Payload)
		}
		s.tell(c, f)
	}
	return s
}

func (s *story) tell(c *raw, f frame) {
	c.t.Helper()
	if f.str("type") == "gap" {
		if f.num("from") != s.next || f.num("count") != f.num("to")-f.num("from")+1 || f.num("count") < 1 {
			c.t.Fatalf("gap %v, want from %d", f, s.next)
		}
		s.got = append(s.got, fmt.Sprintf("%s %d-%d", f.str("reason"), f.num("from"), f.num("to")))
		s.gone += uint64(f.num("count"))
		s.next = f.num("to") + 1
		return
	}
	if f.num("seq") != s.next {
		c.t.Fatalf("seq %d without a word about %d", f.num("seq"), s.next)
	}
	s.got = append(s.got, fmt.Sprint(s.next))
	s.next++
}

// stuck opens a WebSocket whose socket is full, with nothing but the frame
// under way in its queue; n is the number of messages until then.
func (r *rig) stuck(user string) (c *raw, n int) {
	r.t.Helper()
	c = r.rawBuffer(16 << 10).upgrade("user=" + user)
	r.smallSendBuffers()
	conn := &r.table.conns[1]
	for still := 0; still < 300; { // the kernel moves bytes for up to a retransmission
		add := false
		r.do(func() { add = conn.queue.Count == 0 && r.loop.Inbox() == 0 })
		if still++; add {
			r.send(user, `"`+pad(32<<10)+`"`, slab.Meta{})
			n, still = n+1, 0
		}
		r.eventually("taken", func() bool { return int(conn.queue.Seq) == n })
		if !add {
			r.idle()
		}
	}
	return c, n
}

func TestFullQueueByPolicy(t *testing.T) {
	t.Parallel()
	f := func(policy string, metas []slab.Meta, want ...string) {
		t.Helper()
		r := newRig(t, "queue.messages_max", "4", "queue.normal.policy", policy)
		c, n := r.stuck("u")
		for i, m := range metas {
			r.send("u", fmt.Sprint(i), m)
		}
		last := n + len(metas)
		r.eventually("offered", func() bool { return int(r.table.totals.Offered) == last })
		s := c.hear(last)
		for i := range want { // numbers count from the first after those that fill the socket
			var a, b int
			word := ""
			if k, _ := fmt.Sscanf(want[i], "%d", &a); k == 1 {
				want[i] = fmt.Sprint(n + a)
			} else if k, _ := fmt.Sscanf(want[i], "%s %d-%d", &word, &a, &b); k == 3 {
				want[i] = fmt.Sprintf("%s %d-%d", word, n+a, n+b)
			}
		}
		if got := s.got[n:]; !slices.Equal(got, want) {
			t.Errorf("%s: client heard %v, want %v", policy, got, want)
		}
		r.do(func() {
			var dropped uint64
			for _, d := range r.table.queues.Dropped {
				dropped += d
			}
			if dropped != s.gone || uint64(r.table.Cols.Drops[1]) != s.gone {
				t.Errorf("%s: %d dropped, column %d, client told of %d", policy, dropped, r.table.Cols.Drops[1], s.gone)
			}
		})
	}
	plain := make([]slab.Meta, 6) // three fit behind the frame under way
	f("drop-oldest", plain, "overflow 1-3", "4", "5", "6")
	f("drop-newest", plain, "1", "2", "3", "overflow 4-6")
	f("coalesce", plain, "overflow 1-3", "4", "5", "6")
	key := func(k uint32) slab.Meta { return slab.Meta{Key: k} }
	f("coalesce", []slab.Meta{key(1), key(2), key(1)}, "coalesced 1-1", "2", "3")
	f("coalesce", []slab.Meta{key(1), key(1), key(1), key(1)}, "coalesced 1-3", "4")
	f("coalesce", []slab.Meta{key(1), key(2), key(3), key(2), key(1)}, "coalesced 1-2", "3", "4", "5")
	f("drop-oldest", []slab.Meta{key(1), key(1)}, "1", "2")
	past := slab.Meta{Deadline: 1} // its time ended with the first millisecond
	f("drop-oldest", []slab.Meta{{}, past, {}}, "1", "ttl 2-2", "3")
	f("drop-oldest", []slab.Meta{past, past}, "ttl 1-2")
}

func TestPolicyDisconnectClosesAsSlow(t *testing.T) {
	r := newRig(t, "queue.messages_max", "10", "queue.normal.policy", "disconnect", "close.wait", "1m")
	c, n := r.stuck("u")
	for i := range 10 {
		r.send("u", fmt.Sprint(i), slab.Meta{})
	}
	r.eventually("going", func() bool { return r.table.conns[1].state == StateClosing })
	if n := r.send("u", "99", slab.Meta{}); n != 1 {
		t.Errorf("still registered with %d connections", n)
	}
	r.eventually("gone for who sends", func() bool { return r.table.totals.Dropped[push.DropGone] == 1 })
	s := c.hear(n + 10)
	if want := fmt.Sprintf("closed %d-%d", n+1, n+10); s.got[len(s.got)-1] != want {
		t.Errorf("heard %v at last, want %s", s.got[len(s.got)-1], want)
	}
	c.expectClose(push.CloseSlow)
	c.Close()
	r.eventually("closed", r.closed(push.CloseSlow))
	row := r.s.Closed.List(push.CloseSlow, 1)[0]
	// The frame under way and nine that waited; the tenth was one too many.
	if row.Queued != 10 || row.QueuedB < 9 || row.Drops != 10 || row.Delivered != uint64(n) || row.User != "u" {
		b, _ := json.Marshal(row)
		t.Errorf("closed row %s, want 10 queued, 10 drops, %d delivered", b, n)
	}
}

func TestSlowClientThatNeverReadsIsCutOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, "queue.messages_max", "10", "queue.normal.policy", "disconnect", "close.wait", "100ms")
	r.stuck("u")
	for i := range 10 {
		r.send("u", fmt.Sprint(i), slab.Meta{})
	}
	r.eventually("closed", r.closed(push.CloseSlow))
	r.eventually("nothing left", func() bool { return r.table.Live() == 0 && r.s.Messages.Bytes() == 0 })
}

// A message that fits no queue is told at once, though nothing else comes.
func TestOversizeForTheQueueIsTold(t *testing.T) {
	r := newRig(t, "queue.bytes_max", "1KiB")
	c := r.ws("user=u")
	r.send("u", `"`+pad(2<<10)+`"`, slab.Meta{})
	if g := c.expectType("gap"); g.num("from") != 1 || g.num("to") != 1 || g.str("reason") != "overflow" {
		t.Errorf("told %v", g)
	}
	r.send("u", "2", slab.Meta{})
	if f := c.expectData("2"); f.num("seq") != 2 {
		t.Errorf("frame %v", f)
	}
}
