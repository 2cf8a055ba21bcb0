package session

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws/wstest"
)

// Thousands of clients of every transport come, misbehave and go, while
// messages are published and connections kicked; then nothing of them is left.
func TestNothingIsLeftOfManyConnections(t *testing.T) {
	const clients, workers = 5000, 24
	r := newRig(t, "close.wait", "100ms", "handshake.timeout", "500ms", "queue.messages_max", "20", "replay.ttl", "0s",
		"broadcast.slice", "8", "conn.groups_max", "4", "handshake.pending_max", "16", "read.rate_max", "200", "queue.control_bytes_max", "2KiB")
	r.do(func() {}) // it runs
	fds, goroutines := countFDs(t), runtime.NumGoroutine()
	stop, publishing := make(chan struct{}), sync.WaitGroup{}
	publishing.Go(func() { r.disturb(stop) })
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 11))
			for next.Add(1) <= clients {
				misbehave(r.addr, rnd)
			}
		})
	}
	wg.Wait()
	close(stop)
	publishing.Wait()
	r.eventually("all connections gone", func() bool { return r.table.Live() == 0 && r.loop.Inbox() == 0 && len(r.table.walks) == 0 })
	r.do(func() { r.nothingLeft(clients) })
	r.eventually("goroutines gone", func() bool { return runtime.NumGoroutine() <= goroutines+1 }) // Do's own
	if n := countFDs(t); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

// nothingLeft looks everywhere where a connection leaves something.
func (r *rig) nothingLeft(accepted uint64) {
	zero := func(what string, n int64) {
		r.t.Helper()
		if n != 0 {
			r.t.Errorf("%s: %d left", what, n)
		}
	}
	t := r.table
	t.queues.Bin().Flush()
	zero("slots", int64(t.slots.Live()))
	zero("node's connections", r.s.Open.Load())
	zero("buffers", t.buffers.Used())
	zero("queue nodes", int64(t.queues.Nodes()))
	zero("queued messages", t.queues.Messages)
	zero("queued bytes", t.queues.MessageBytes)
	zero("members", t.members.Len())
	zero("details", int64(len(t.details)+len(t.left)+len(t.logins)))
	zero("message bytes", r.s.Messages.Bytes())
	for p, n := range t.totals.Open {
		zero("open as "+push.Proto(p).String(), n)
	}
	c := r.s.Router.Counts()
	zero("users, links, groups, rings", c.Users+c.Links+c.Groups+c.Rings+c.Names)
	for s := range t.slots.High() {
		zero("columns", int64(t.Cols.Ident[s]|t.Cols.Queued[s]|t.Cols.QBytes[s]|t.Cols.Drops[s]|t.Cols.RTT[s]|t.Cols.WinOf[s]|t.Cols.Owner[s]))
	}
	all := t.allTotals()
	if all.Accepted != accepted || all.ClosedTotal() != accepted {
		r.t.Errorf("%d accepted and %d closed of %d", all.Accepted, all.ClosedTotal(), accepted)
	}
	r.t.Logf("closed %v, dropped %v, delivered %d", all.ClosedBy(), all.DroppedBy(), all.Delivered)
	if got := all.Delivered + all.DroppedTotal() - all.Dropped[push.DropGone]; got != all.Offered {
		r.t.Errorf("%d offered, %d delivered or dropped: %v", all.Offered, got, all.DroppedBy())
	}
}

func countFDs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// disturb publishes to everybody and kicks somebody until stop.
func (r *rig) disturb(stop chan struct{}) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for {
		select {
		case <-stop:
			return
		default:
		}
		meta := slab.Meta{Class: push.Class(rnd.IntN(int(push.ClassCount))), Key: rnd.Uint32N(3)}
		if rnd.IntN(4) == 0 {
			meta.Deadline = max(1, reactor.MS(r.s.Clock.Now())+rnd.Uint32N(5))
		}
		size := rnd.IntN(200)
		if rnd.IntN(8) == 0 {
			size = rnd.IntN(60 << 10)
		}
		data := `"` + pad(size) + `"`
		switch rnd.IntN(20) {
		case 0:
			r.broadcast(reactor.Item{Kind: reactor.KindAll}, data, meta)
		case 1, 2:
			if idx, _, _, ok := r.s.Router.GroupLookup([]byte("g1")); ok {
				r.broadcast(reactor.Item{Kind: reactor.KindGroup, H: push.Handle(idx)}, data, meta)
			}
		case 3:
			r.do(func() {
				if high := r.table.slots.High(); high > 1 {
					slot := 1 + rnd.Uint32N(high-1)
					r.table.Kick(r.table.handle(slot), push.CloseKicked)
				}
			})
		default:
			if err := r.publish(fmt.Sprintf("u%d", rnd.IntN(8)), data, meta); err != nil {
				r.t.Error(err)
			}
		}
	}
}

func (r *rig) broadcast(it reactor.Item, data string, meta slab.Meta) {
	it.Msg = r.message(data, meta)
	if r.loop.Post([]reactor.Item{it}) == 0 {
		r.s.Messages.Release(it.Msg)
	}
}

// misbehave is one client from connect to whatever end.
func misbehave(addr string, rnd *rand.Rand) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	p := protos[rnd.IntN(len(protos))]
	req := request(p, fmt.Sprintf("user=u%d&group=g%d&resume=%d&poll=1", rnd.IntN(8), rnd.IntN(3), rnd.IntN(2)))
	switch rnd.IntN(12) {
	case 0: // a part of a request
		req = req[:rnd.IntN(len(req))]
	case 1:
		req = strings.Repeat("X", rnd.IntN(20<<10))
	case 2:
		req = strings.Replace(req, "user=", "loser=", 1)
	}
	_, _ = io.WriteString(c, req)
	sip(c, rnd)
	for range rnd.IntN(5) {
		switch p {
		case push.ProtoWS:
			_, _ = c.Write(utterance(rnd))
		case push.ProtoPoll:
			_, _ = io.WriteString(c, req)
		}
		sip(c, rnd)
	}
	switch rnd.IntN(4) {
	case 0:
		_ = c.(*net.TCPConn).SetLinger(0)
	case 1:
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
	case 2:
		_, _ = io.WriteString(c, closeFrame(1000, ""))
	}
}

// sip reads some of what is there.
func sip(c net.Conn, rnd *rand.Rand) {
	if rnd.IntN(3) == 0 {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Duration(rnd.IntN(15)) * time.Millisecond))
	b := make([]byte, 1+rnd.IntN(8<<10))
	for range 1 + rnd.IntN(3) {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// utterance is what a WebSocket client says.
func utterance(rnd *rand.Rand) []byte {
	n := rnd.IntN(4)
	text := func(s string) []byte { return wstest.Frame(true, 0, wstest.Text, s) }
	switch rnd.IntN(14) {
	case 0:
		return text(fmt.Sprintf(`{"type":"unbind","group":"g%d"}`, n))
	case 1:
		return text(fmt.Sprintf(`{"type":"login","user":"u%d","ref":1}`, n))
	case 2:
		return text(fmt.Sprintf(`{"type":"logout","user":"u%d"}`, n))
	case 3:
		return text(`{"type":"up","data":1}`)
	case 4:
		return wstest.Frame(true, 0, wstest.PingOp, "x")
	case 5:
		return wstest.Frame(false, 0, wstest.Text, pad(rnd.IntN(3000))) // to be continued, never
	case 6:
		return text(`{"type":"ping"}`)[:rnd.IntN(20)]
	case 7:
		return wstest.Frame(true, 0, wstest.Binary, "\xff")
	case 8:
		return text("\xff")
	case 9:
		return wstest.Frame(true, 1, wstest.Text, "")
	case 10:
		b := []byte(nil)
		for range 300 {
			b = append(b, wstest.Frame(true, 0, wstest.PingOp, pad(100))...)
		}
		return b
	}
	return text(fmt.Sprintf(`{"type":"bind","group":"g%d"}`, n))
}
