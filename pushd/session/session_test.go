package session

import (
	"fmt"
	"testing"
	"unsafe"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

func TestConnStaysSmall(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n != 144 {
		t.Errorf("Conn is %d bytes; its comment and the budget say 144", n)
	}
}

func TestEveryTransportReceivesTheSameFrames(t *testing.T) {
	r := newRig(t)
	clients := map[string]*client{
		"ws":     r.ws("user=u"),
		"sse":    r.stream("user=u", "text/event-stream"),
		"stream": r.stream("user=u", "*/*"),
	}
	for i := 1; i <= 3; i++ {
		if n := r.send("u", fmt.Sprint(i), slab.Meta{}); n != 3 {
			t.Fatalf("reached %d connections, want 3", n)
		}
	}
	for name, c := range clients {
		for i := 1; i <= 3; i++ {
			f := c.expectData(fmt.Sprint(i))
			if f.num("seq") != i {
				t.Errorf("%s: frame %v, want seq %d", name, f, i)
			}
			if name == "sse" && f.str("sse-id") != fmt.Sprintf("test1-%d", i) {
				t.Errorf("sse: id %q, want test1-%d", f.str("sse-id"), i)
			}
		}
	}
}

func TestSlowReaderGetsNewestAndIsToldOfTheGap(t *testing.T) {
	r := newRig(t, "queue.messages_max", "10")
	c := r.ws("user=slow")
	// Larger than any socket buffer, so that the queue fills.
	const n, size = 400, 60 << 10
	big := `"` + string(make([]byte, 0)) + pad(size) + `"`
	for range n {
		r.send("slow", big, slab.Meta{})
	}
	r.eventually("all offered", func() bool { return r.table.totals.Offered == n })
	next, gaps := 1, 0
	for next <= n {
		f := c.read()
		if f.str("type") == "gap" {
			if f.num("from") != next || f.str("reason") != "overflow" || f.num("count") != f.num("to")-f.num("from")+1 {
				t.Fatalf("gap %v, want from %d", f, next)
			}
			gaps += f.num("count")
			next = f.num("to") + 1
			continue
		}
		if f.num("seq") != next {
			t.Fatalf("seq %d without a word about %d", f.num("seq"), next)
		}
		next++
	}
	dropped := 0
	r.do(func() { dropped = int(r.table.queues.Dropped[push.DropOverflow]) })
	if gaps == 0 || gaps != dropped {
		t.Errorf("client was told of %d lost messages, node dropped %d", gaps, dropped)
	}
}

func pad(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}
