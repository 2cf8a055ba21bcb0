package session

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/queue"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
)

// Tracer hands events of the users that somebody watches to who watches them.
// Nobody watching costs one flag check per message.
type Tracer struct {
	n atomic.Int32

	mu   sync.Mutex
	subs map[*Subscription]struct{}
}

// Subscription is one watched user.
type Subscription struct {
	User string
	C    chan pushdapi.TraceEvent
	lost atomic.Uint64
	t    *Tracer
}

// traceBuffer is how many events may wait for a watcher; more are lost and
// counted, so that a slow terminal never slows a connection.
const traceBuffer = 1024

// NewTracer makes a Tracer.
func NewTracer() *Tracer { return &Tracer{subs: map[*Subscription]struct{}{}} }

// Watch begins to collect events of a user.
func (t *Tracer) Watch(user string) *Subscription {
	s := &Subscription{User: user, C: make(chan pushdapi.TraceEvent, traceBuffer), t: t}
	t.mu.Lock()
	t.subs[s] = struct{}{}
	t.mu.Unlock()
	t.n.Add(1)
	return s
}

// Lost is the number of events that did not fit the buffer.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the watch. C is not closed.
func (s *Subscription) Close() {
	s.t.mu.Lock()
	_, there := s.t.subs[s]
	delete(s.t.subs, s)
	s.t.mu.Unlock()
	if there {
		s.t.n.Add(-1)
	}
}

// Active tells whether anybody watches anything.
func (t *Tracer) Active() bool { return t.n.Load() > 0 }

// Watched tells whether the user is watched.
func (t *Tracer) Watched(user string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.subs {
		if s.User == user {
			return true
		}
	}
	return false
}

// Emit gives an event to the watchers of e.User.
func (t *Tracer) Emit(e pushdapi.TraceEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.subs {
		if s.User != e.User {
			continue
		}
		select {
		case s.C <- e:
		default:
			s.lost.Add(1)
		}
	}
}

func linkOf(v uint32) router.Link { return router.Link(v) }

// trace emits an event for each user of a connection that is watched.
func (t *Table) trace(slot uint32, c *Conn, e pushdapi.TraceEvent) {
	h := t.handle(slot)
	e.Conn, e.At, e.Queue = h.String(), time.Now(), int64(c.queue.Count)
	for _, u := range t.Router.Users(h, c.users) {
		e.User = u
		t.Tracer.Emit(e)
	}
}

func (t *Table) traceOpen(slot uint32, c *Conn, users []string) {
	if slices.ContainsFunc(users, t.Tracer.Watched) {
		c.set(flagTraced)
		h := t.handle(slot)
		for _, u := range users {
			t.Tracer.Emit(pushdapi.TraceEvent{At: time.Now(), Conn: h.String(), User: u, Event: "open",
				Note: c.proto.String() + " from " + t.peerOf(c).String()})
		}
	}
}

func (t *Table) traceOffer(slot uint32, c *Conn, msg slab.Ref) {
	t.trace(slot, c, pushdapi.TraceEvent{Event: "offer", Seq: c.queue.Seq + 1, Bytes: int(t.Messages.Meta(msg).Len)})
}

func (t *Table) traceDrop(slot uint32, c *Conn, n uint32) {
	e := pushdapi.TraceEvent{Event: "drop", Note: c.queue.Why().String()}
	if n > 1 {
		e.Note = fmt.Sprintf("%s, %d messages", e.Note, n)
	}
	t.trace(slot, c, e)
}

func (t *Table) traceWrite(slot uint32, c *Conn, n *queue.Node) {
	t.trace(slot, c, pushdapi.TraceEvent{Event: "write", Seq: n.Seq, Bytes: int(n.Len),
		Note: "after " + time.Duration(t.Clock.Now()-t.queues.PublishedAt(n)).Round(time.Microsecond).String()})
}

func (t *Table) traceUp(slot uint32, c *Conn, typ string, n int) {
	t.trace(slot, c, pushdapi.TraceEvent{Event: "up", Bytes: n, Note: typ})
}

func (t *Table) traceStall(slot uint32, c *Conn) {
	t.trace(slot, c, pushdapi.TraceEvent{Event: "stall", Note: "the socket takes no more"})
}

func (t *Table) traceClose(slot uint32, c *Conn, why push.CloseReason) {
	t.trace(slot, c, pushdapi.TraceEvent{Event: "close", Note: why.String()})
}
