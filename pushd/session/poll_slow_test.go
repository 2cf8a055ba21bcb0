package session

import (
	"testing"

	"golang.org/x/sys/unix"

	"pushfleet/pushd/slab"
)

// A poll is answered once its messages are written, in however many pieces, and
// whatever had to be told behind them.
func TestPollThroughATightSocketIsAnswered(t *testing.T) {
	r := newRig(t, "queue.messages_max", "1")
	for i := range 40 {
		c := r.rawBuffer(8 << 10)
		c.ask("user=u")
		r.eventually("poll waits", r.waiting(1))
		r.do(func() {
			for s := uint32(1); s < r.table.slots.High(); s++ {
				if conn := &r.table.conns[s]; conn.state == StateOpen {
					_ = unix.SetsockoptInt(int(conn.fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
				}
			}
		})
		for range 3 {
			r.send("u", `"`+pad(20<<10+i*337)+`"`, slab.Meta{})
		}
		c.answer()
		c.Close()
	}
}
