package session

import (
	"context"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/teewire"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/slab"
)

// BenchmarkDeliver is the way of a message from the inbox to the socket, a turn
// each, with its write calls; delay is write.coalesce_delay.
func BenchmarkDeliver(b *testing.B) {
	for _, delay := range []string{"0s", "50ms"} {
		b.Run(delay, func(b *testing.B) { deliver(b, "write.coalesce_delay", delay) })
	}
}

// batch fills two writes and half a socket.
const batch = 2 * framesPerWrite

func deliver(b *testing.B, set ...string) { deliverOn(b, newRig(b, set...)) }

func deliverOn(b *testing.B, r *rig) {
	c := r.rawWS("user=u")
	_ = c.SetDeadline(time.Time{})
	var read atomic.Int64
	go func() { _, _ = io.Copy(counting{&read}, c.Conn) }() // ends with the rig
	ref := r.message(`"`+pad(100)+`"`, slab.Meta{})
	defer r.s.Messages.Release(ref)
	t := r.table
	writes, n := uint64(0), 0
	mirrored := teewire.Message{User: []byte("u"), Data: make([]byte, 102)}
	b.ResetTimer()
	for ; n < b.N; n += batch {
		if err := r.loop.Do(context.Background(), func() {
			before := t.totals.Writes
			for range batch {
				r.s.Messages.Retain(ref, 1)
				if r.s.Tap.Active() {
					r.s.Tap.Publish(&mirrored)
				}
				t.Item(&reactor.Item{H: t.handle(1), Msg: ref})
				t.Turn()
			}
			writes += t.totals.Writes - before
		}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for read.Load() < int64(n+batch)*100 {
			runtime.Gosched()
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(writes)/float64(n), "writes/op")
}

type counting struct{ n *atomic.Int64 }

func (c counting) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}
