package swarm

import (
	"fmt"
	"net/netip"
	"testing"

	"pushfleet/internal/push"
)

// BenchmarkDialQueued is a look at connections that wait for their handshake:
// while none may begin, as at most turns of the loop, and while one begins and
// another one comes. How many wait must not matter.
func BenchmarkDialQueued(b *testing.B) {
	for _, waiting := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint("none begins/", waiting), func(b *testing.B) {
			w := waiters(waiting)
			w.counts.Connecting = int64(w.swarm.opts.HandshakesMax)
			for b.Loop() {
				w.dialQueued()
			}
		})
		b.Run(fmt.Sprint("one begins/", waiting), func(b *testing.B) {
			w := waiters(waiting)
			begun := -1
			// The kernel refuses to connect to there, which counts as begun.
			w.swarm.opts.Target = netip.MustParseAddrPort("255.255.255.255:1")
			w.swarm.opts.Hooks.Failed = func(slot int, _ string) { begun = slot; w.counts.Connecting++ }
			w.counts.Connecting = int64(w.swarm.opts.HandshakesMax)
			for b.Loop() {
				w.counts.Connecting--
				w.dialQueued()
				w.queueDial(uint32(begun), &w.conns[begun], &Request{Users: []string{"u"}})
			}
		})
	}
}

// waiters is a worker without sockets, on which so many connections wait.
func waiters(n int) *worker {
	w, _ := offline(push.ProtoWS)
	w.swarm.opts.Manual, w.swarm.opts.TriesMax = true, 1
	w.conns = make([]record, n)
	w.requests = map[uint32]*Request{}
	r := &Request{Users: []string{"u"}}
	for slot := range uint32(n) {
		w.queueDial(slot, &w.conns[slot], r)
	}
	return w
}
