package drive

import (
	"errors"
	"slices"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/swarm"
	"pushfleet/internal/teewire"
)

// waitingMax bounds the commands that wait for a connection to open.
const waitingMax = 256

// answerWait is how long the shadow may take to answer a poll that production
// has answered.
const answerWait = time.Second

// mirrored is a connection of production and what stands for it here.
type mirrored struct {
	id      uint64
	proto   push.Proto
	joined  bool
	resumes bool
	users   []string
	state   state
	why     why     // stateOver: why its records are dropped; notDropped: it ended as in production
	slots   []int32 // of the copies; -1: ended. The first is the one whose state counts
	dialing int     // of them, not answered

	held   bool
	asked  bool   // to be held, with the request
	credit uint32 // granted since it is held, for copies that are not open
	// What production's socket takes first, without anything being read here.
	owedBytes, owedFrames uint32

	further [][]byte // commands for what did not fit the request
	waiting [][]byte // commands of the client, until all copies have been answered
	queued  uint64   // of them, of records that wait for the first copy
	closing bool     // production has ended it before it opened here
	reason  push.CloseReason
}

type state uint8

const (
	stateDialing state = iota
	stateOpen
	stateOver
)

// slot is a connection of the swarm. It belongs to a copy of a mirrored
// connection until the swarm says that it has ended.
type slot struct {
	conn   *mirrored
	number int
	open   bool
}

// parting is a poll that production has answered.
type parting struct {
	conn *mirrored
	due  int64
}

// open replays the begin of a connection.
func (d *Driver) open(rec *record) {
	o := rec.body.(*teewire.Open)
	if old := d.conns[o.Conn]; old != nil && old.live() {
		d.hang(old, false) // its end was not told
		d.leave(old, notDropped)
	}
	c := &mirrored{id: o.Conn, proto: o.Proto, users: o.Users, joined: o.Joined, resumes: o.Resume, held: o.Blocked, asked: o.Blocked}
	if o.Blocked {
		c.owedBytes, c.owedFrames = d.between, o.Queued
	}
	d.conns[o.Conn] = c
	if d.anyTorn(o.Users) {
		d.refuse(c, dropTorn)
		return
	}
	if len(d.free)+len(d.resting.of) < d.opts.Amplify {
		d.refuse(c, dropFull)
		return
	}
	for i := range d.opts.Amplify {
		if err := d.dial(c, o, i); err != nil {
			d.log.Warn("a mirrored connection was left out", "users", o.Users, "error", err)
			d.hang(c, false)
			d.refuse(c, dropFull)
			return
		}
	}
	if c.held {
		d.books.held++
	}
	d.books.waiting[teewire.KindOpen]++
	d.opening++
}

// refuse notes a connection that is not dialled.
func (d *Driver) refuse(c *mirrored, w why) {
	d.books.drop(teewire.KindOpen, w)
	c.state, c.why = stateOver, w
	d.books.torn++
	d.remember(c)
}

// dial asks for one copy.
func (d *Driver) dial(c *mirrored, o *teewire.Open, number int) error {
	users := deriveAll(o.Users, number)
	used := 0
	r := swarm.Request{Proto: o.Proto, Poll: o.Poll, Query: "tee=1", Held: o.Blocked, Window: d.opts.Window}
	var restUsers, restGroups []string
	if d.opts.Token != nil {
		restUsers = o.Users[1:] // a token logs one in
	} else {
		r.Users, restUsers = divide(o.Users, &used)
		r.Users = deriveAll(r.Users, number)
	}
	r.Groups, restGroups = divide(o.Groups, &used)
	if number == 0 {
		c.further = d.further(restUsers, restGroups)
	}
	if d.opts.Token != nil {
		r.Token = d.opts.Token(users, r.Groups)
	}
	if o.Resume {
		r.Query += "&resume=1"
	}
	n, last, ok := d.slotFor(users[0], o.Resume)
	if !ok { // open has looked
		return errors.New("no connection is left")
	}
	r.Last = last
	if err := d.swarm.Dial(int(n), r); err != nil {
		d.free = append(d.free, n)
		return err
	}
	d.slots[n] = slot{conn: c, number: number}
	c.slots = append(c.slots, n)
	c.dialing++
	return nil
}

func (c *mirrored) live() bool { return c.state == stateDialing || c.state == stateOpen }

// opened is called by the swarm.
func (d *Driver) opened(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.slots[n]
	c := s.conn
	s.open = true
	d.books.sockets++
	c.dialing--
	if !c.live() {
		return // it is being hung up
	}
	if s.number == 0 {
		d.answered(c, notDropped)
	}
	for _, cmd := range c.further {
		_ = d.swarm.Send(n, d.command(cmd, s.number))
	}
	for _, cmd := range c.waiting {
		_ = d.swarm.Send(n, d.command(cmd, s.number))
	}
	switch {
	case c.held:
		_ = d.swarm.Hold(n)
		if c.credit > 0 {
			_ = d.swarm.Grant(n, c.credit)
		}
	case c.asked:
		_ = d.swarm.Free(n)
	}
	d.allAnswered(c)
}

// answered settles what waited for the first copy: it is open, or w says why
// it is not.
func (d *Driver) answered(c *mirrored, w why) {
	d.opening--
	d.books.settle(teewire.KindOpen, w)
	for range c.queued {
		d.books.settle(teewire.KindIn, w)
	}
	if c.queued = 0; w == notDropped {
		c.state = stateOpen
		d.books.open++
		if c.joined {
			d.books.joined++
		}
	}
	if d.opening == 0 {
		d.poke()
	}
}

// allAnswered forgets what was kept for copies that were not open, and ends a
// connection that has ended in production meanwhile.
func (d *Driver) allAnswered(c *mirrored) {
	if c.dialing > 0 {
		return
	}
	c.waiting, c.further = nil, nil
	if c.closing && c.state == stateOpen {
		c.closing = false
		d.books.settle(teewire.KindClose, notDropped)
		d.finish(c, c.reason)
	}
}

// failed is called by the swarm when a connection did not open.
func (d *Driver) failed(n int, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, number := d.release(n)
	c.dialing--
	if reason != swarm.HungUp {
		d.books.failed++
	}
	if number == 0 && c.state == stateDialing {
		d.hang(c, false)
		d.leave(c, dropRefused)
	}
	d.allAnswered(c)
}

// closed is called by the swarm when an open connection has ended.
func (d *Driver) closed(n int, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, number := d.release(n)
	d.books.sockets--
	if reason != swarm.HungUp && reason != swarm.PollDone {
		d.books.lost++
	}
	if number > 0 || c.state != stateOpen {
		return
	}
	if reason == swarm.PollDone {
		d.leave(c, notDropped) // the copies are answered by themselves
		return
	}
	d.hang(c, false)
	d.leave(c, dropLost)
}

// release takes a slot back from its connection.
func (d *Driver) release(n int) (c *mirrored, number int) {
	s := &d.slots[n]
	c, number = s.conn, s.number
	c.slots[number] = -1
	*s = slot{}
	d.giveBack(int32(n), c, number)
	return c, number
}

// hang ends all copies of a connection.
func (d *Driver) hang(c *mirrored, polite bool) {
	for _, n := range c.slots {
		if n >= 0 {
			_ = d.swarm.Hang(int(n), polite) // never refused but at the end
		}
	}
}

// leave takes a connection out of the books of what is open. w says why the
// records that wait, and those that follow, are dropped; notDropped that it has
// ended as in production.
func (d *Driver) leave(c *mirrored, w why) {
	if c.held {
		c.held = false
		d.books.held--
	}
	waits := w
	if w == notDropped {
		waits = dropRefused // the shadow has not answered in time
	}
	switch c.state {
	case stateDialing:
		d.answered(c, waits)
	case stateOpen:
		d.books.open--
	}
	if c.closing {
		c.closing = false
		d.books.settle(teewire.KindClose, waits)
		d.forget(c)
	}
	c.state, c.why = stateOver, w
}

// forget ends that a connection is known by its number.
func (d *Driver) forget(c *mirrored) {
	if d.conns[c.id] == c {
		delete(d.conns, c.id)
	}
}

// close replays the end of a connection.
func (d *Driver) close(rec *record) {
	c := d.find(rec.conn)
	if c == nil {
		d.books.drop(rec.kind, dropUnknown)
		return
	}
	if rec.reason < push.CloseReasonCount {
		d.books.ended[rec.reason]++
	}
	switch {
	case c.state == stateDialing: // it is to be seen by the shadow all the same
		d.books.waiting[rec.kind]++
		c.closing, c.reason = true, rec.reason
		return
	case c.state == stateOpen:
		d.books.replay(rec.kind)
		d.finish(c, rec.reason)
	case c.why == notDropped || c.why == dropLost: // ended on both sides
		d.books.replay(rec.kind)
	default:
		d.books.drop(rec.kind, c.why)
	}
	d.forget(c)
}

// finish ends an open connection as it ended in production. A poll that was
// answered there is given some time to be answered here.
func (d *Driver) finish(c *mirrored, reason push.CloseReason) {
	d.forget(c)
	if c.proto == push.ProtoPoll && reason == push.ClosePollDone {
		d.parting = append(d.parting, parting{c, d.now() + int64(answerWait)})
		return
	}
	d.hang(c, reason == push.CloseClient)
	d.leave(c, notDropped)
}

// part ends the polls that the shadow has not answered in time.
func (d *Driver) part(now int64) {
	n := 0
	for ; n < len(d.parting) && d.parting[n].due <= now; n++ {
		if c := d.parting[n].conn; c.state == stateOpen {
			d.hang(c, true)
			d.leave(c, notDropped)
		}
	}
	d.parting = slices.Delete(d.parting, 0, n)
}
