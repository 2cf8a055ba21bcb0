package session

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/decay"
	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/stats"
)

// Snapshot is one loop's figures at one instant.
type Snapshot struct {
	Totals       stats.Totals
	Rates        Rates
	Windows      decay.Windows // of all queues of the loop together
	Latency      hist.Log      // publish to socket, since the start
	Recent       hist.Log      // the same over the last 10 to 20 s
	Turns        hist.Log
	NowMS        uint32
	Live         int64
	BufferBytes  int64
	SlabBytes    int64
	AcceptErrors uint64
}

// Rates are a loop's decayed rates.
type Rates struct {
	Accepted, Offered, Delivered, Bytes, Received, Dropped, Closed decay.Rate
}

// Snapshot copies the loop's figures. Call it on the loop.
func (t *Table) Snapshot(s *Snapshot) {
	t.countRates()
	s.Totals = t.allTotals()
	s.Rates, s.Windows, s.Latency, s.Turns = t.rates, t.windows, t.latency, t.turns
	s.Recent = t.latency
	s.Recent.Since(&t.marks[0])
	s.NowMS = t.nowMS
	s.Live = int64(t.slots.Live())
	s.BufferBytes = t.buffers.Used()
	s.SlabBytes, _ = t.mapping.Used()
	s.AcceptErrors = t.Loop.AcceptErrors
}

// allTotals adds what the queues count themselves.
func (t *Table) allTotals() stats.Totals {
	all := t.totals
	all.Queued, all.QueuedBytes = t.queues.Messages, t.queues.MessageBytes
	for r, n := range t.queues.Dropped {
		all.Dropped[r] += n
	}
	return all
}

// Queued is the number of messages in all queues of the loop at the end of its
// last turn; from any goroutine.
func (t *Table) Queued() int64 { return t.backlog.Load() }

// countRates brings the decayed rates up to the totals, at each tick and before
// they are read.
func (t *Table) countRates() {
	all := t.allTotals()
	was := &t.counted
	add := func(r *decay.Rate, now, before uint64) { r.Add(t.nowMS, now-before) }
	add(&t.rates.Accepted, all.Accepted, was.Accepted)
	add(&t.rates.Offered, all.Offered, was.Offered)
	add(&t.rates.Delivered, all.Delivered, was.Delivered)
	add(&t.rates.Bytes, all.BytesOut, was.BytesOut)
	add(&t.rates.Received, all.Received, was.Received)
	add(&t.rates.Dropped, all.DroppedTotal(), was.DroppedTotal())
	add(&t.rates.Closed, all.ClosedTotal(), was.ClosedTotal())
	*was = all
}

// Kick says goodbye to a connection; false if it is gone. Call it on the loop.
func (t *Table) Kick(h push.Handle, why push.CloseReason) bool {
	c := t.at(h)
	if c == nil || c.state == StateClosing {
		return false
	}
	t.goodbye(h.Slot(), why)
	return true
}

// Fill completes a row of top with what is not in the columns. From any
// goroutine: a record that changes meanwhile gives an old or a new value.
func (t *Table) Fill(h push.Handle, row *pushdapi.ConnRow) {
	c := &t.conns[h.Slot()]
	opened := atomic.LoadUint32(&c.opened)
	users := atomic.LoadUint32((*uint32)(&c.users))
	ident := atomic.LoadUint32(&t.Cols.Ident[h.Slot()])
	row.Conn = h.String()
	row.Proto = push.Proto(ident >> 8).String()
	row.AgeSeconds = float64(uint32(t.Clock.Now()/1e6)-opened) / 1000
	row.User = t.Router.First(h, linkOf(users))
}

// Age is how long ago the connection in a slot opened, in ms. From any goroutine.
func (t *Table) Age(slot uint32) uint32 {
	return reactor.MS(t.Clock.Now()) - atomic.LoadUint32(&t.conns[slot].opened)
}

// Describe explains one connection, its socket included. Call it on the loop.
func (t *Table) Describe(h push.Handle) (d pushdapi.Conn, ok bool) {
	c := t.at(h)
	if c == nil {
		return d, false
	}
	slot := h.Slot()
	t.Fill(h, &d.ConnRow)
	d.Users = t.Router.Users(h, c.users)
	for _, g := range t.members.Groups(c.groups) {
		d.Groups = append(d.Groups, t.Router.GroupName(g))
	}
	d.Peer = t.peerOf(c).String()
	d.State = c.state.String()
	d.LastSeenAgo = float64(t.nowMS-t.lastSeen[slot]) / 1000
	d.Queued, d.Bytes = int64(c.queue.Count), int64(c.queue.Bytes)
	d.QueueLimit, d.QueueBytesMax = t.QueueKnobs.MessagesMax.Get(), t.QueueKnobs.BytesMax.Get()
	if at, waits := t.queues.Oldest(&c.queue); waits {
		d.OldestSeconds = float64(t.nowMS-at) / 1000
	}
	d.Drops = uint64(t.Cols.Drops[slot])
	d.RTTSeconds = float64(t.Cols.RTT[slot]) / 1e6
	d.Totals.Offered, d.Totals.Delivered = uint64(c.queue.Seq), uint64(c.delivered)
	d.Totals.BytesOut, d.Totals.Received = c.bytesOut, uint64(c.received)
	t.describeRates(c, &d)
	d.TCP = t.describeTCP(c)
	d.LoopTurn = float64(t.turns.Quantile(0.99)) / 1e9
	return d, true
}

func (t *Table) describeRates(c *Conn, d *pushdapi.Conn) {
	var w decay.Windows
	if p := t.queues.Window(&c.queue); p != nil {
		w = *p
	} else {
		w.At = t.nowMS
	}
	s := w.Snapshot(t.nowMS, t.nowMS-c.opened, c.queue.Count)
	d.Rates = stats.Rates(&s)
	d.WaitBy, d.DrainBy = stats.EstimatesBy(&s, float64(c.queue.Count), t.queueLimit(c.queue.Count, c.queue.Bytes))
	d.In, d.Out, d.BytesOut, d.Peak = s.In[1], s.Out[1], s.Bytes[1], s.Peak[1]
	d.Wait, d.Drain = d.WaitBy["10s"], d.DrainBy["10s"]
}

func (t *Table) describeTCP(c *Conn) *pushdapi.TCP {
	info, ok := t.tcpInfo(int(c.fd))
	if !ok {
		return nil
	}
	outq, err := unix.IoctlGetInt(int(c.fd), unix.TIOCOUTQ)
	if err != nil {
		outq = 0
	}
	return tcpOf(info, outq)
}

// epitaph is what the ring of closed connections keeps.
func (t *Table) epitaph(slot uint32, c *Conn, why push.CloseReason, detail string) stats.ClosedConn {
	h := t.handle(slot)
	e := stats.ClosedConn{
		Handle: h, User: t.Router.First(h, c.users), Proto: c.proto, Reason: why, Detail: detail,
		At: t.Clock.Wall(t.Loop.Now()), Age: time.Duration(t.nowMS-c.opened) * time.Millisecond,
		Delivered: uint64(c.delivered), Received: uint64(c.received), Drops: t.Cols.Drops[slot],
		Queued: c.queue.Count, QueuedB: c.queue.Bytes, RTT: t.Cols.RTT[slot], Peer: t.peerOf(c),
	}
	if l, ok := t.left[slot]; ok {
		e.Queued, e.QueuedB = l.messages, l.bytes
	}
	if w := t.queues.Window(&c.queue); w != nil {
		s := w.Snapshot(t.nowMS, t.nowMS-c.opened, c.queue.Count)
		e.In10, e.Out10, e.Peak100 = float32(s.In[1]), float32(s.Out[1]), float32(s.Peak[2])
	}
	return e
}

// SetTraced turns tracing of one connection on or off. Call it on the loop.
func (t *Table) SetTraced(h push.Handle, on bool) {
	c := t.at(h)
	switch {
	case c == nil:
	case on:
		c.set(flagTraced)
	default:
		c.clear(flagTraced)
	}
}

// Backlog sums the queues of the loop that hold something; soft is the share of
// a bound above which a connection counts as over soft. From any goroutine: it
// reads the backlog column and looks at the queues that are not empty.
func (t *Table) Backlog(soft float64) (b Backlog) {
	now := uint32(t.Clock.Now() / 1e6)
	for slot := uint32(1); slot < t.Cols.Used.Load(); slot++ {
		n := atomic.LoadUint32(&t.Cols.Queued[slot])
		if n == 0 {
			continue
		}
		b.Conns++
		limit := t.queueLimit(n, atomic.LoadUint32(&t.Cols.QBytes[slot]))
		if float64(n) >= soft*limit {
			b.OverSoft++
		}
		if float64(n) >= limit {
			b.OverHard++
		}
		if at, ok := t.queues.OldestRacy(&t.conns[slot].queue); ok {
			b.OldestSeconds = max(b.OldestSeconds, float64(int32(now-at))/1000)
		}
	}
	return b
}

func (t *Table) queueLimit(queued, bytes uint32) float64 {
	return stats.QueueLimit(float64(t.QueueKnobs.MessagesMax.Get()), float64(t.QueueKnobs.BytesMax.Get()), queued, bytes)
}

// Backlog sums the queues that hold something.
type Backlog struct {
	Conns, OverSoft, OverHard int64
	OldestSeconds             float64
}
