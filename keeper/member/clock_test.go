package member_test

import (
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/testkeeper"
)

// A keeper's wall clock leaps by hours, forwards and back: temporary values end
// when they should, nodes stay alive, and the next leader goes on.
func TestWallClockLeaps(t *testing.T) {
	var leap [3]atomic.Int64
	k := testkeeper.Start(t, 3, func(i int, c *testkeeper.Config) {
		c.Wall = func() time.Time { return time.Now().Add(time.Duration(leap[i].Load())) }
	})
	c := k.Client()
	n := startNode(t, c, "gw-1", nil)
	connected(t, c, 1)
	const lasts = 2 * time.Second
	f := func(what string, do func(leader int)) {
		t.Helper()
		r := set(keeperapi.Fleet, "queue.messages_max", "256")
		r.ForMS = lasts.Milliseconds()
		began := time.Now()
		if _, err := c.Txn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		do(k.Leader())
		eventually(t, what+": the value ends", func() bool { return n.value("queue.messages_max") == "" })
		if took := time.Since(began); took < lasts*9/10 {
			t.Errorf("%s: the value ended after %s, it was given for %s", what, took, lasts)
		}
		h, err := c.History(t.Context(), "queue.messages_max", keeperapi.Read{})
		if err != nil {
			t.Fatal(err)
		}
		end := h.Changes[len(h.Changes)-1]
		start := h.Changes[len(h.Changes)-2]
		if end.Kind != keeperapi.KindExpired || end.At-start.At > 10*keeperapi.Time(lasts.Milliseconds()) {
			t.Errorf("%s: %s after %d ms by the keepers' clock", what, end.Kind, end.At-start.At)
		}
		ns, err := c.Nodes(t.Context(), keeperapi.Read{})
		if err != nil || len(ns) != 1 || ns[0].Dead || ns[0].DeadForMS > 0 { // nobody stands still for a lease
			t.Errorf("%s: nodes %+v, %v", what, ns, err)
		}
	}
	f("forwards", func(i int) { leap[i].Store(int64(time.Hour)) })
	f("back", func(i int) { leap[i].Store(int64(-2 * time.Hour)) })
	f("forwards, and another leads", func(i int) {
		leap[i].Store(int64(time.Hour))
		eventually(t, "another leads", func() bool { return c.Transfer(t.Context(), "") == nil || k.Leader() != i })
	})
}
