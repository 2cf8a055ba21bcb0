package drive

import (
	"slices"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
)

// tornMax bounds how many connections and how many users with a hole are
// remembered.
const tornMax = 1 << 16

// in replays a command of a client.
func (d *Driver) in(rec *record) {
	c, w := d.known(rec.conn)
	switch {
	case c == nil:
		d.books.drop(rec.kind, w)
		return
	case c.proto != push.ProtoWS: // its transport has no commands
		d.books.drop(rec.kind, dropRefused)
		return
	case len(c.waiting) == waitingMax:
		d.leaveOut(rec, dropFull)
		return
	}
	data := rec.body.([]byte)
	for number, n := range c.slots {
		if n >= 0 && d.slots[n].open && d.swarm.Send(int(n), d.command(data, number)) != nil {
			d.leaveOut(rec, dropFull)
			return
		}
	}
	if c.dialing > 0 {
		c.waiting = append(c.waiting, data)
	}
	if c.state == stateDialing {
		d.books.waiting[rec.kind]++
		c.queued++
		return
	}
	d.books.replay(rec.kind)
}

// known returns a connection that is open or being opened, or why its records
// are dropped.
func (d *Driver) known(id uint64) (*mirrored, why) {
	c := d.find(id)
	switch {
	case c == nil:
		return nil, dropUnknown
	case c.state != stateOver:
		return c, notDropped
	case c.why == notDropped: // answered here before it was there
		return nil, dropLost
	}
	return nil, c.why
}

// each gives an order to all copies that are open; those that are not get it
// when they are.
func (d *Driver) each(c *mirrored, order func(int) error) error {
	for _, n := range c.slots {
		if n >= 0 && d.slots[n].open {
			if err := order(int(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tear ends a connection with a hole. What follows of it is dropped.
func (d *Driver) tear(id uint64, w why) {
	c := d.conns[id]
	switch {
	case c == nil:
		c = &mirrored{id: id, state: stateOver, why: w}
		d.conns[id] = c
	case c.state == stateOver:
		if c.why == notDropped || c.why == dropLost {
			c.why = w
			d.remember(c)
		}
		return
	default:
		d.hang(c, false)
		d.leave(c, w)
	}
	d.books.torn++
	d.remember(c)
}

// remember keeps a connection that will not be told to have ended known for a
// while.
func (d *Driver) remember(c *mirrored) {
	d.conns[c.id] = c
	d.excluded = append(d.excluded, c)
	if len(d.excluded) > tornMax {
		for _, old := range d.excluded[:tornMax/4] {
			d.forget(old)
		}
		d.excluded = slices.Delete(d.excluded, 0, tornMax/4)
	}
}

// tornBy replays what the tap says of its holes.
func (d *Driver) tornBy(rec *record) {
	t := rec.body.(*teewire.Torn)
	switch {
	case t.Conn != 0:
		d.tear(t.Conn, dropTorn)
	case t.User != "":
		d.tearUser(t.User)
	default:
		d.books.spans.add(d.wall(rec.from), d.wall(rec.at), DropTorn)
		d.tearAll(t)
	}
	d.books.replay(rec.kind)
}

// tearAll ends all connections if all have a hole: whatever follows of them, in
// production they are in a state that is not known here.
func (d *Driver) tearAll(t *teewire.Torn) {
	if !t.AllConns() {
		return
	}
	for id, c := range d.conns {
		if c.live() {
			d.tear(id, dropTorn)
		}
	}
}

// tearUser excludes a user for good: a message was lost that production
// delivered. Its connections leave when they are next met, or at the end of the
// turn, in one walk for all users.
func (d *Driver) tearUser(user string) {
	if len(d.users) < tornMax { // or its messages reach nobody, which is only not told apart
		d.users[user], d.tearing = true, true
	}
}

// find returns the connection of a number, nil if there is none.
func (d *Driver) find(id uint64) *mirrored {
	c := d.conns[id]
	if d.tearing && c != nil && c.live() && d.anyTorn(c.users) {
		d.tear(id, dropTorn)
	}
	return c
}

// tearUsers ends the connections of users who were torn in this turn.
func (d *Driver) tearUsers() {
	if !d.tearing {
		return
	}
	d.tearing = false
	for id, c := range d.conns {
		if c.live() && d.anyTorn(c.users) {
			d.tear(id, dropTorn)
		}
	}
}

func (d *Driver) anyTorn(users []string) bool {
	return slices.ContainsFunc(users, func(u string) bool { return d.users[u] })
}
