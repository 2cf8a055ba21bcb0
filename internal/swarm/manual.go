package swarm

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"pushfleet/internal/push"
)

// Request is a connection that a manual swarm is asked to open.
type Request struct {
	Users  []string      // at least one, unless there is a Token
	Groups []string      // left out if there is a Token: it names them
	Token  string        // JWT
	Proto  push.Proto    // none: stream
	Poll   time.Duration // wait of a long poll; 0: as Options.PollWait
	Query  string        // put behind the request's query, for example "resume=1"
	Last   bool          // go on behind the last position seen on a connection of this number
	Window int           // bytes that the kernel may hold unread; 0: as it likes
	Held   bool          // hold it from the start, see Swarm.Hold
}

// requestMax bounds what Request makes of a request head, in bytes; servers
// refuse heads over 16 KiB.
const requestMax = 15 << 10

var errNotManual = errors.New("this swarm dials by itself; make it with Options.Manual")

// Dial opens connection conn, which must be new or have ended. It may be called
// from any goroutine, as the other commands to connections, and returns before
// anything happened: Hooks.Open follows if the server takes it, and in any case
// Hooks.Closed or Hooks.Failed, exactly once, after which the number is free.
// It is not tried again.
func (s *Swarm) Dial(conn int, r Request) error {
	if len(r.Users) == 0 && r.Token == "" {
		return fmt.Errorf("connection %d: a request needs a user or a token", conn)
	}
	if n := len(r.appendQuery(nil, 0)); n > requestMax {
		return fmt.Errorf("connection %d: a request of %d bytes, servers take %d; ask for fewer groups", conn, n, requestMax)
	}
	return s.tell(conn, order{todo: doDial, request: &r})
}

// Hang ends a connection, or an attempt under way: Hooks.Closed or Failed is
// called with HungUp. A polite client says goodbye first where its protocol
// can. On one that has ended it does nothing.
func (s *Swarm) Hang(conn int, polite bool) error {
	o := order{todo: doHang}
	if polite {
		o.bytes = 1
	}
	return s.tell(conn, o)
}

// HungUp is the reason of connections that ended because of Hang.
const HungUp = "hung up"

// Hold stops reading an open connection, so that its server is held up once
// the buffers between them are full.
func (s *Swarm) Hold(conn int) error { return s.tell(conn, order{todo: doHold}) }

// Grant lets so many more bytes be read from a held connection.
func (s *Swarm) Grant(conn int, bytes uint32) error {
	return s.tell(conn, order{todo: doGrant, bytes: bytes})
}

// Free reads a held connection as it comes again.
func (s *Swarm) Free(conn int) error { return s.tell(conn, order{todo: doFree}) }

func (s *Swarm) tell(conn int, o order) error {
	if !s.opts.Manual {
		return errNotManual
	}
	return s.post(conn, o)
}

// obey carries out one order.
func (w *worker) obey(o *order) {
	c := &w.conns[o.slot]
	switch o.todo {
	case doSend:
		w.sendOne(o.slot, c, o.payload)
	case doDial:
		w.queueDial(o.slot, c, o.request)
	case doHang:
		w.hang(o.slot, c, o.bytes != 0)
	default:
		if c.state == connOpen {
			w.pace(o, c)
		}
	}
}

// pace changes how a connection is read.
func (w *worker) pace(o *order, c *record) {
	switch o.todo {
	case doHold:
		c.flags |= flagHeld
		return
	case doGrant:
		if c.flags&flagHeld == 0 {
			return // it is read anyway
		}
		c.credit += min(o.bytes, math.MaxUint32-c.credit)
	case doFree:
		c.flags &^= flagHeld
		c.credit = 0
	}
	// What came meanwhile brought its edge then.
	w.readOn(o.slot, c)
}

// readOn reads what a connection has and may be read of it.
func (w *worker) readOn(slot uint32, c *record) {
	limit := readsPerEvent * readBufferBytes
	if c.flags&flagHeld != 0 {
		limit = min(limit, int(c.credit))
	}
	w.read(slot, c, limit)
}

// queueDial lets a connection wait for its turn among the handshakes.
func (w *worker) queueDial(slot uint32, c *record, r *Request) {
	if w.requests[slot] != nil || c.state != connIdle && c.state != connEnded {
		w.gaveUp(slot, "it is open already")
		return
	}
	c.state = connIdle
	w.requests[slot] = r
	if c.flags&flagQueued == 0 { // or the place of a request that was hung up is free
		c.flags |= flagQueued
		w.dials.push(slot)
	}
}

// dialQueued dials what waits, as many as may be unfinished at a time. What is
// left has its turn when one of them is.
func (w *worker) dialQueued() {
	for !w.dials.empty() && w.counts.Connecting < int64(w.swarm.opts.HandshakesMax) {
		slot := w.dials.take()
		c := &w.conns[slot]
		c.flags &^= flagQueued
		if w.requests[slot] != nil && c.state == connIdle {
			w.dial(slot)
		}
	}
}

// hang ends a connection in whatever state it is.
func (w *worker) hang(slot uint32, c *record, polite bool) {
	switch c.state {
	case connIdle:
		if w.requests[slot] != nil { // its place in dials is void from now on
			c.state = connEnded
			w.gaveUp(slot, HungUp)
		}
	case connDialing, connAsking:
		w.lose(slot, c, HungUp)
	case connOpen:
		if polite {
			w.goodbye(c)
		}
		w.lose(slot, c, HungUp)
	}
}

// gaveUp tells that a connection will not be tried again.
func (w *worker) gaveUp(slot uint32, reason string) {
	delete(w.requests, slot)
	if f := w.swarm.opts.Hooks.Failed; f != nil {
		f(w.first+int(slot), reason)
	}
}

// appendQuery appends the query of a request. pollWait is for requests that
// name none.
func (r *Request) appendQuery(b []byte, pollWait time.Duration) []byte {
	if r.Token != "" {
		b = append(append(b, "token="...), url.QueryEscape(r.Token)...)
	} else {
		for i, u := range r.Users {
			if i > 0 {
				b = append(b, '&')
			}
			b = append(append(b, "user="...), url.QueryEscape(u)...)
		}
		for _, g := range r.Groups {
			b = append(append(b, "&group="...), url.QueryEscape(g)...)
		}
	}
	if r.Proto == push.ProtoPoll {
		wait := r.Poll
		if wait <= 0 {
			wait = pollWait
		}
		b = append(b, "&poll="...)
		b = strconv.AppendInt(b, max(1, int64(wait.Seconds())), 10)
	}
	if r.Query != "" {
		b = append(append(b, '&'), r.Query...)
	}
	return b
}
