package stats

import "pushfleet/internal/push"

// Totals count one loop's events since it started. They are plain numbers with
// one owner, the loop, which hands out copies; copies are merged with Add.
type Totals struct {
	Accepted    uint64 // connections
	Offered     uint64 // messages put to a connection's queue, dropped ones included
	Delivered   uint64 // messages written whole to a socket
	BytesOut    uint64 // bytes written to sockets
	BytesIn     uint64 // bytes read from sockets
	Received    uint64 // messages from clients
	Pings       uint64 // heartbeats sent
	Writes      uint64 // write system calls on client sockets
	WouldWait   uint64 // of them, that the socket did not take whole
	UplinkNone  uint64 // client uplink frames with nowhere to go
	Dropped     [push.DropReasonCount]uint64
	Closed      [push.CloseReasonCount]uint64
	Open        [push.ProtoCount]int64 // connections now, by protocol; ProtoNone: handshake
	Sampled     int64                  // connections now that are in the tap's sample
	Queued      int64                  // messages in queues now
	QueuedBytes int64
}

// Add merges a copy of another loop's totals.
func (t *Totals) Add(o *Totals) {
	t.Accepted += o.Accepted
	t.Offered += o.Offered
	t.Delivered += o.Delivered
	t.BytesOut += o.BytesOut
	t.BytesIn += o.BytesIn
	t.Received += o.Received
	t.Pings += o.Pings
	t.Writes += o.Writes
	t.WouldWait += o.WouldWait
	t.UplinkNone += o.UplinkNone
	t.Sampled += o.Sampled
	t.Queued += o.Queued
	t.QueuedBytes += o.QueuedBytes
	for i, n := range o.Dropped {
		t.Dropped[i] += n
	}
	for i, n := range o.Closed {
		t.Closed[i] += n
	}
	for i, n := range o.Open {
		t.Open[i] += n
	}
}

// Conns is the number of connections open, unfinished handshakes included.
func (t *Totals) Conns() (n int64) {
	for _, v := range t.Open {
		n += v
	}
	return n
}

// Handshaking is the number of connections whose handshake is not finished.
func (t *Totals) Handshaking() int64 { return t.Open[push.ProtoNone] }

// DroppedTotal is the number of messages dropped for any reason.
func (t *Totals) DroppedTotal() (n uint64) {
	for r, v := range t.Dropped {
		if push.DropReason(r) != push.DropNone {
			n += v
		}
	}
	return n
}

// ClosedTotal is the number of connections that ended for any reason.
func (t *Totals) ClosedTotal() (n uint64) {
	for _, v := range t.Closed {
		n += v
	}
	return n
}

// DroppedBy returns the drops by reason, without the reasons that did not occur.
func (t *Totals) DroppedBy() map[string]uint64 {
	m := map[string]uint64{}
	for r, v := range t.Dropped {
		if v > 0 && push.DropReason(r) != push.DropNone {
			m[push.DropReason(r).String()] = v
		}
	}
	return m
}

// ClosedBy returns the ends by reason, without the reasons that did not occur.
func (t *Totals) ClosedBy() map[string]uint64 {
	m := map[string]uint64{}
	for r, v := range t.Closed {
		if v > 0 {
			m[push.CloseReason(r).String()] = v
		}
	}
	return m
}

// OpenBy returns the open connections by protocol, handshakes left out.
func (t *Totals) OpenBy() map[string]int64 {
	m := map[string]int64{}
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		m[p.String()] = t.Open[p]
	}
	return m
}
