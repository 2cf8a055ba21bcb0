package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/slab"
)

// turns offers messages to the connection in slot 1, each in a turn of its own
// at one and the same time, and returns the number of writes.
func (r *rig) turns(messages ...slab.Ref) (writes uint64) {
	t := r.table
	before := t.totals.Writes
	for _, m := range messages {
		t.Item(&reactor.Item{H: t.handle(1), Msg: m})
		t.Turn()
	}
	return t.totals.Writes - before
}

func (r *rig) messages(n, size int) (list []slab.Ref) {
	r.t.Helper()
	for range n {
		list = append(list, r.message(`"`+pad(size)+`"`, slab.Meta{}))
	}
	return list
}

// The same messages in fewer writes, on a connection that was open before.
func TestCoalescingSavesWrites(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=u")
	f := func(delay string, n, size int, atOnce, later uint64) {
		t.Helper()
		r.turn("write.coalesce_delay", delay)
		list := r.messages(n, size)
		before := uint64(0)
		r.do(func() {
			before = r.table.totals.Writes
			if got := r.turns(list...); got != atOnce {
				t.Errorf("delay %s: %d messages of %d bytes made %d writes at once, want %d", delay, n, size, got, atOnce)
			}
		})
		for range n {
			c.read()
		}
		r.do(func() {
			if got := r.table.totals.Writes - before; got != atOnce+later {
				t.Errorf("delay %s: %d messages of %d bytes made %d writes, want %d", delay, n, size, got, atOnce+later)
			}
		})
	}
	f("0s", 10, 100, 10, 0)
	f("50ms", 10, 100, 0, 1)
	f("50ms", framesPerWrite, 10, 1, 0) // a whole write does not wait
	f("50ms", framesPerWrite+1, 10, 1, 1)
	f("50ms", 1, holdBytes, 1, 0)
	f("50ms", 5, holdBytes/4, 1, 1)
	f("1ms", 3, 100, 0, 1)
	f("0s", 3, 100, 3, 0)
}

// Control frames and goodbyes do not wait, and take along what does.
func TestWhatDoesNotWait(t *testing.T) {
	f := func(what string, do func(r *rig, c *Conn), want ...string) {
		t.Helper()
		r := newRig(t, "write.coalesce_delay", "50ms")
		c := r.rawWS("user=u")
		m := r.messages(1, 0)
		r.do(func() {
			if n := r.turns(m...); n != 0 {
				t.Errorf("%s: written before it", what)
			}
			before := r.table.totals.Writes
			do(r, &r.table.conns[1])
			r.table.Turn()
			if r.table.totals.Writes == before {
				t.Errorf("%s waits", what)
			}
		})
		for _, w := range want {
			if f := c.frame(); !strings.Contains(string(f.Payload), w) {
				t.Errorf("%s: frame %q, want %s", what, f.Payload, w)
			}
		}
	}
	f("a control frame", func(r *rig, c *Conn) { r.table.controlFrame(1, c, "pong", []byte(`{"type":"pong"}`)) }, "pong", `"data"`)
	f("a goodbye", func(r *rig, c *Conn) { r.table.goodbye(1, push.CloseKicked) }, `"data"`, "kicked")
	f("the knob at 0", func(r *rig, c *Conn) { r.turn("write.coalesce_delay", "0s") }, `"data"`)
}

// A poll that waits is answered with all that came meanwhile.
func TestCoalescingAnswersAPollWithMore(t *testing.T) {
	f := func(delay string, want int) {
		t.Helper()
		r := newRig(t, "write.coalesce_delay", delay)
		c := r.raw()
		c.ask("user=u")
		r.eventually("poll waits", r.waiting(1))
		list := r.messages(3, 0)
		h := push.Handle(0)
		r.do(func() { h = r.table.handle(1) })
		r.do(func() {
			for _, m := range list {
				r.table.Item(&reactor.Item{H: h, Msg: m})
				r.table.Turn()
			}
		})
		if frames, _ := c.answer(); len(frames) != want {
			t.Errorf("delay %s: the answer is %v, want %d messages", delay, frames, want)
		}
	}
	f("0s", 1)
	f("50ms", 3)
}

// What a broadcast leaves waiting comes due together, but does not hold the
// loop: each turn writes some of it, and asks for another turn.
func TestManyThatComeDueAreParted(t *testing.T) {
	r := newRig(t, "write.coalesce_delay", "50ms", "broadcast.slice", "4096")
	const n = releasesPerTurn + 50
	var clients []*raw
	for i := range n {
		clients = append(clients, r.rawWS(fmt.Sprint("user=", i)))
	}
	m := r.messages(1, 0)
	r.do(func() {
		r.table.Item(&reactor.Item{Kind: reactor.KindAll, Msg: m[0]})
		r.table.Turn()
		if waits := len(r.table.held.list); waits != n {
			t.Errorf("%d of %d wait", waits, n)
		}
		for i := range r.table.held.list {
			r.table.held.list[i].since -= 1e9
		}
		before := r.table.totals.Writes
		busy := r.table.Turn()
		if wrote := r.table.totals.Writes - before; wrote != releasesPerTurn || !busy {
			t.Errorf("%d written in the first turn, busy %v", wrote, busy)
		}
		busy = r.table.Turn()
		if wrote := r.table.totals.Writes - before; wrote != n || busy {
			t.Errorf("%d written in two turns, busy %v", wrote, busy)
		}
	})
	for _, c := range clients {
		if f := c.frame(); !strings.Contains(string(f.Payload), `"data"`) {
			t.Fatalf("frame %q", f.Payload)
		}
	}
}

func TestHoldingGivesUpTheRoomOfABroadcast(t *testing.T) {
	var h holding
	for i := range uint32(10 * holdingKept) {
		h.push(waiting{int64(i), i})
	}
	for _, ok := h.due(1 << 62); ok; _, ok = h.due(1 << 62) {
	}
	if cap(h.list) > holdingKept {
		t.Errorf("room for %d when nothing waits", cap(h.list))
	}
}

func TestHoldingIsInOrder(t *testing.T) {
	var h holding
	var got, want []uint32
	for i := range uint32(10_000) {
		h.push(waiting{int64(i), i})
		want = append(want, i)
		for s, ok := h.due(int64(i) - 100); ok; s, ok = h.due(int64(i) - 100) {
			got = append(got, s)
		}
		if n := i + 1 - uint32(len(got)); n > 100 {
			t.Fatalf("%d wait after %d, want at most 100", n, i)
		}
	}
	if cap(h.list) > 8192 {
		t.Errorf("room for %d to hold 100", cap(h.list))
	}
	for s, ok := h.due(1 << 62); ok; s, ok = h.due(1 << 62) {
		got = append(got, s)
	}
	if !slices.Equal(got, want) || !h.empty() {
		t.Errorf("%d came due of %d", len(got), len(want))
	}
}
