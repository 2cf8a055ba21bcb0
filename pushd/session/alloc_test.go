package session

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/slab"
)

// Delivering costs the collector nothing, on any transport: alone, in bursts,
// and to a group.
func TestDeliveringAllocatesNothing(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector allocates")
	}
	f := func(p push.Proto, delay string) { deliverWithout(t, p, delay) }
	for _, p := range protos[:3] {
		f(p, "0s")
	}
	f(push.ProtoWS, "1ms") // writes that wait for more
}

func deliverWithout(t *testing.T, p push.Proto, delay string) {
	r := newRig(t, "write.coalesce_delay", delay)
	c := r.raw()
	c.write(request(p, "user=u&group=g"))
	r.eventually("open", func() bool { return r.table.totals.Open[p] == 1 })
	go func() { _, _ = io.Copy(io.Discard, c.Conn) }()
	ref := r.message(`"`+strings.Repeat("x", 200)+`"`, slab.Meta{})
	defer r.s.Messages.Release(ref)
	f := func(what string, items []reactor.Item, want float64) {
		t.Helper()
		const rounds = 2000
		round := func() {
			for range items {
				r.s.Messages.Retain(ref, 1)
			}
			if r.loop.Post(items) != len(items) {
				t.Fatal("inbox full")
			}
			for !r.quiet() {
				runtime.Gosched()
			}
		}
		for range 100 {
			round()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			round()
		}
		runtime.ReadMemStats(&after)
		per := float64(after.Mallocs-before.Mallocs) / float64(rounds*len(items))
		if per > want {
			t.Errorf("%s, %s: %.3f allocations per message", p, what, per)
		}
	}
	h := push.Handle(0)
	r.do(func() { h = r.table.handle(1) })
	one := reactor.Item{H: h, Msg: ref}
	f("one by one", []reactor.Item{one}, 0.05)
	f("bursts", []reactor.Item{one, one, one, one, one, one, one, one, one, one}, 0.05)
	idx, _, _, _ := r.s.Router.GroupLookup([]byte("g"))
	f("to a group", []reactor.Item{{Kind: reactor.KindGroup, H: push.Handle(idx), Msg: ref}}, 0.05)
}

// quiet tells that the loop has taken all that was posted; without a call on
// the loop, which would allocate.
func (r *rig) quiet() bool { return r.loop.Inbox() == 0 }
