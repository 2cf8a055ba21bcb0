package stats

import (
	"net/netip"
	"sync"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// ClosedConn is a connection that ended, as its loop tells it. 168 bytes and
// its strings.
type ClosedConn struct {
	Handle    push.Handle
	At        time.Time
	Peer      netip.AddrPort
	User      string // first of its users
	Detail    string // more than the reason says, may be empty
	Delivered uint64
	Received  uint64
	Age       time.Duration
	Drops     uint32
	Queued    uint32 // left in the queue, dropped with reason closed
	QueuedB   uint32
	In10      float32 // messages per second at the end, window of 10 s
	Out10     float32
	Peak100   float32 // messages, window of 100 s
	RTT       uint32  // µs, 0 if not sampled
	Proto     push.Proto
	Reason    push.CloseReason
	seq       uint64
}

// Row puts the record in the form of the API.
func (c *ClosedConn) Row() pushdapi.ClosedRow {
	row := pushdapi.ClosedRow{
		Conn: c.Handle.String(), User: c.User, Proto: c.Proto.String(), Reason: c.Reason.String(),
		Detail: c.Detail, At: c.At, AgeSeconds: c.Age.Seconds(), Delivered: c.Delivered,
		Received: c.Received, Drops: uint64(c.Drops), Queued: int64(c.Queued), QueuedB: int64(c.QueuedB),
		In10: float64(c.In10), Out10: float64(c.Out10), Peak100: float64(c.Peak100),
		RTTSeconds: float64(c.RTT) / 1e6,
	}
	if c.Peer.IsValid() {
		row.Peer = c.Peer.String()
	}
	return row
}

// Closed remembers the last connections that ended, in a ring per reason, so
// that a thousand clients who left do not wash out the one that was slow. Safe
// for concurrent use.
type Closed struct {
	mu    sync.Mutex
	size  int
	seq   uint64
	rings [push.CloseReasonCount]ring
	total [push.CloseReasonCount]uint64
}

// ring grows up to the size and then overwrites the oldest.
type ring struct {
	conns []ClosedConn
	next  int // where the oldest is, once full
}

// NewClosed keeps at most size connections of each reason, at least 1.
func NewClosed(size int) *Closed { return &Closed{size: max(size, 1)} }

// Add remembers a connection that ended; a reason that does not exist counts as
// an error.
func (c *Closed) Add(conn ClosedConn) {
	if conn.Reason >= push.CloseReasonCount {
		conn.Reason = push.CloseError
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	conn.seq = c.seq
	c.total[conn.Reason]++
	r := &c.rings[conn.Reason]
	if len(r.conns) < c.size {
		r.conns = append(r.conns, conn)
		return
	}
	r.conns[r.next] = conn
	if r.next++; r.next == len(r.conns) {
		r.next = 0
	}
}

// newest returns the i-th newest record, 0 the last added.
func (r *ring) newest(i int) *ClosedConn {
	n := len(r.conns)
	return &r.conns[((r.next-1-i)%n+n)%n]
}

// List returns at most n connections that ended for reason, newest first; for
// CloseNone those of any reason. n ≤ 0 means all that are remembered.
func (c *Closed) List(reason push.CloseReason, n int) []pushdapi.ClosedRow {
	found := c.pick(reason, n)
	rows := make([]pushdapi.ClosedRow, len(found))
	for i := range found {
		rows[i] = found[i].Row()
	}
	return rows
}

// pick copies the records under the lock; they are formatted after it.
func (c *Closed) pick(reason push.CloseReason, n int) (found []ClosedConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var taken [push.CloseReasonCount]int
	for n <= 0 || len(found) < n {
		best := (*ClosedConn)(nil)
		for i := range c.rings {
			r := &c.rings[i]
			if reason != push.CloseNone && reason != push.CloseReason(i) || taken[i] >= len(r.conns) {
				continue
			}
			if conn := r.newest(taken[i]); best == nil || conn.seq > best.seq {
				best = conn
			}
		}
		if best == nil {
			break
		}
		taken[best.Reason]++
		found = append(found, *best)
	}
	return found
}

// Totals returns how many connections ended for each reason, also those no
// longer remembered.
func (c *Closed) Totals() [push.CloseReasonCount]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}
