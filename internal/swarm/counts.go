package swarm

import (
	"maps"

	"pushfleet/internal/hist"
)

// Counts are totals since Start, except Connecting and Open, which are of now.
type Counts struct {
	Target     int64 `json:"target"`     // connections asked for
	Connecting int64 `json:"connecting"` // handshake under way
	Open       int64 `json:"open"`
	OpenPeak   int64 `json:"open_peak"` // sum of the workers' peaks

	Opened   int64            `json:"opened"` // handshakes completed
	Closed   int64            `json:"closed"` // open connections that ended, ours by profile included
	ClosedBy map[string]int64 `json:"closed_by,omitempty"`
	Failed   int64            `json:"failed"` // attempts that did not open
	FailedBy map[string]int64 `json:"failed_by,omitempty"`
	GivenUp  int64            `json:"given_up"` // connections that will not be tried again

	Received   int64 `json:"received"` // data messages
	Stamped    int64 `json:"stamped"`  // of them, with an intended send time
	Bytes      int64 `json:"bytes"`    // read from sockets
	Control    int64 `json:"control"`  // control messages other than pings
	Pings      int64 `json:"pings"`
	Pongs      int64 `json:"pongs"`    // answers to pings that were sent
	Missing    int64 `json:"missing"`  // numbers never seen
	Declared   int64 `json:"declared"` // messages that gap frames announced as dropped
	Lost       int64 `json:"lost"`     // missing and not declared
	Duplicates int64 `json:"duplicates"`
	OutOfOrder int64 `json:"out_of_order"`
	Malformed  int64 `json:"malformed"` // what a server must not send
	Sent       int64 `json:"sent"`      // messages written by Send
	SendDrops  int64 `json:"send_drops"`
}

func (c *Counts) add(o *Counts) {
	c.Connecting += o.Connecting
	c.Open += o.Open
	c.OpenPeak += o.OpenPeak
	c.Opened += o.Opened
	c.Closed += o.Closed
	c.Failed += o.Failed
	c.GivenUp += o.GivenUp
	c.Received += o.Received
	c.Stamped += o.Stamped
	c.Bytes += o.Bytes
	c.Control += o.Control
	c.Pings += o.Pings
	c.Pongs += o.Pongs
	c.Missing += o.Missing
	c.Declared += o.Declared
	c.Lost += o.Lost
	c.Duplicates += o.Duplicates
	c.OutOfOrder += o.OutOfOrder
	c.Malformed += o.Malformed
	c.Sent += o.Sent
	c.SendDrops += o.SendDrops
	c.ClosedBy = addMap(c.ClosedBy, o.ClosedBy)
	c.FailedBy = addMap(c.FailedBy, o.FailedBy)
}

func addMap(to, from map[string]int64) map[string]int64 {
	if to == nil {
		return maps.Clone(from)
	}
	for k, v := range from {
		to[k] += v
	}
	return to
}

// reasonsMax bounds the different reasons that are counted apart; a server
// that invents more of them is counted under "other".
const reasonsMax = 64

func count(m *map[string]int64, reason string) {
	if *m == nil {
		*m = map[string]int64{}
	}
	if _, has := (*m)[reason]; !has && len(*m) >= reasonsMax {
		reason = "other"
	}
	(*m)[reason]++
}

// Kinds is the number of message kinds whose latencies are kept apart: a
// payload says which by "k", directly behind "t". SlowKind is of all messages
// to Slow readers, whatever they say.
const (
	Kinds    = 4
	SlowKind = Kinds - 1
)

// Latency is the time from the intended send time stamped into the payload to
// the return of the read that brought it, per kind, and the time to connect.
type Latency struct {
	Kind    [Kinds]hist.Log
	Last    [Kinds]int64 // ns, Clock: when the latest message of the kind came
	Connect hist.Log     // dial to completed handshake
}

// Snapshot sums the workers' counts. The sums are not from one instant.
func (s *Swarm) Snapshot() Counts {
	var sum Counts
	for _, w := range s.workers {
		w.showMu.Lock()
		sum.add(&w.shown)
		w.showMu.Unlock()
	}
	sum.Target = int64(s.opts.Conns)
	return sum
}

// Received returns the number of data messages so far, without locking.
func (s *Swarm) Received() int64 {
	var n int64
	for _, w := range s.workers {
		n += w.received.Load()
	}
	return n
}

// Latency returns the latencies since Start, or since the call before if
// reset is true. With reset every caller takes from the same store.
func (s *Swarm) Latency(reset bool) *Latency {
	sum := new(Latency)
	for _, w := range s.workers {
		w.mu.Lock()
		h := w.total
		if reset {
			h = w.recent
		}
		for k := range h.Kind {
			sum.Kind[k].Merge(&h.Kind[k])
			sum.Last[k] = max(sum.Last[k], h.Last[k])
		}
		sum.Connect.Merge(&h.Connect)
		if reset {
			h.reset()
		}
		w.mu.Unlock()
	}
	return sum
}

func (l *Latency) reset() {
	for k := range l.Kind {
		l.Kind[k].Reset()
		l.Last[k] = 0
	}
	l.Connect.Reset()
}
