package session

import (
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
	"pushfleet/pushd/tap"
)

// flagsTee are those of connections that a tee concerns: one test of them is
// all that a hook costs the others.
const flagsTee = flagSampled | flagTorn

// tee is what a loop knows of the tee that mirrors its connections. Owned by
// the loop.
type tee struct {
	shard  *tap.Shard
	gen    uint64    // of the tap, when it was looked at last
	now    tap.State // adopted; Run is 0 while nothing is mirrored
	marks  bool      // connections may have flagsTee
	walk   teeWalk
	cursor uint32
	due    int64 // ns clock until which the walk rests
	users  int   // torn ones that were heard of
	out    teewire.Out
}

// teeWalk is what is done to all connections, a slice at a time.
type teeWalk uint8

const (
	walkNone   teeWalk = iota
	walkClear          // take the marks of the tee before away
	walkChoose         // let connections join or leave
)

// Slices of walks, in connections. Choosing looks its users up; joining also
// writes them down.
const (
	clearSlice  = 4096
	chooseSlice = 512
	joinSlice   = 128
	// joinRest is how long joining waits for room.
	joinRest = 10 * time.Millisecond
)

// noteTee looks, at each tick, whether the tap has changed.
func (t *Table) noteTee() {
	if t.Tap == nil {
		return
	}
	e := &t.tee
	gen := t.Tap.Gen()
	if gen == e.gen {
		return
	}
	e.gen = gen
	switch st := t.Tap.State(); {
	case e.walk == walkClear: // it takes up at its end what is mirrored then
	case st.Run != e.now.Run:
		e.now = tap.State{}
		e.walk, e.cursor = walkClear, 1
	case st.Sample != e.now.Sample:
		e.now = st
		t.choose()
	}
	t.tearUsers()
}

// choose begins to hold all connections against the sample.
func (t *Table) choose() {
	e := &t.tee
	e.walk, e.cursor, e.due = walkChoose, 1, 0
	e.shard.Joining(true)
}

// stepTee gives a walk under way one slice; busy asks for a further turn.
func (t *Table) stepTee() (busy bool) {
	switch t.tee.walk {
	case walkClear:
		t.stepClear()
		return true
	case walkChoose:
		return t.stepChoose()
	}
	return false
}

func (t *Table) stepClear() {
	e := &t.tee
	for n := 0; e.marks && n < clearSlice && e.cursor < t.slots.High(); n++ {
		c := &t.conns[e.cursor]
		t.setSampled(c, false)
		c.clear(flagTorn)
		e.cursor++
	}
	if e.marks && e.cursor < t.slots.High() {
		return
	}
	e.walk, e.marks = walkNone, false
	if st := t.Tap.State(); st.Run != 0 {
		e.now, e.users = st, 0
		e.shard.Adopt(st.Run)
		t.choose()
	}
}

// stepChoose works in a share of tap.cpu_percent_max and of the buffers: who
// was mirrored before loses nothing by those who join.
func (t *Table) stepChoose() (busy bool) {
	e := &t.tee
	now := t.Loop.Now()
	if now < e.due {
		return false
	}
	if !e.shard.Roomy() {
		e.due = now + int64(joinRest)
		t.Loop.Alarm(e.due)
		return false
	}
	start := t.Clock.Now()
	joined := 0
	for n := 0; n < chooseSlice && joined < joinSlice && e.cursor < t.slots.High(); n++ {
		if c := &t.conns[e.cursor]; c.state == StateOpen && !c.is(flagTorn) && t.chosen(e.cursor, c) {
			joined++
		}
		e.cursor++
	}
	end := t.Clock.Now()
	e.shard.Spent(end - start)
	if e.cursor >= t.slots.High() {
		e.walk = walkNone
		e.shard.Joining(false)
		return false
	}
	e.due = start + e.shard.Pace(end-start)
	t.Loop.Alarm(e.due)
	return e.due <= end
}

// chosen lets an open connection join or leave the sample; true if it joined.
// A long poll is not joined: what is left of its wait is short, and the next
// one is seen from its beginning.
func (t *Table) chosen(slot uint32, c *Conn) bool {
	users := t.Router.Users(t.handle(slot), c.users)
	slices.Reverse(users) // the first login decides
	in := len(users) > 0 && tap.In(users[0], t.tee.now.Sample)
	switch {
	case in == c.is(flagSampled) || in && c.proto == push.ProtoPoll:
		return false
	case !in:
		t.setSampled(c, false)
		t.tee.shard.Leave(uint64(t.handle(slot)), t.tee.now.Why)
		return false
	}
	o := &teewire.Open{Users: users, Joined: true, Blocked: c.is(flagBlocked), Queued: c.queue.Count,
		Age: time.Duration(t.nowMS-c.opened) * time.Millisecond, RTT: time.Duration(atomic.LoadUint32(&t.Cols.RTT[slot])) * time.Microsecond}
	for _, g := range t.members.Groups(c.groups) {
		o.Groups = append(o.Groups, t.Router.GroupName(g))
	}
	t.mirror(slot, c, o)
	return true
}

// sample mirrors a connection that opens, if its first user is in the sample.
func (t *Table) sample(slot uint32, c *Conn, users, groups []string, poll time.Duration) {
	if t.tee.now.Run == 0 || !tap.In(users[0], t.tee.now.Sample) {
		return
	}
	t.mirror(slot, c, &teewire.Open{Users: users, Groups: slices.Clone(groups), Poll: poll})
}

func (t *Table) mirror(slot uint32, c *Conn, o *teewire.Open) {
	t.tee.marks = true
	users := o.Users
	o.Users = slices.Clone(users) // the tap may hide them
	o.At, o.Conn, o.Proto, o.Resume = t.Loop.Now(), uint64(t.handle(slot)), c.proto, c.is(flagResume)
	switch {
	case slices.ContainsFunc(users, t.Tap.Torn):
		t.tee.shard.Lost(teewire.KindOpen)
		c.set(flagTorn)
	case !t.tee.shard.Open(o):
		c.set(flagTorn)
	default:
		t.setSampled(c, true)
		t.also(slot, c, users)
	}
}

// also mirrors the messages of all users of a connection in the sample, of
// which the first has decided. A user who is torn has none any more.
func (t *Table) also(slot uint32, c *Conn, users []string) {
	if !c.is(flagSampled) {
		return
	}
	for _, u := range users {
		why := teewire.DropNone
		switch {
		case t.Tap.Torn(u):
			why = teewire.DropTorn
		case !t.Tap.Also(u):
			why = teewire.DropBuffer
		default:
			continue
		}
		t.tear(c)
		t.tee.shard.Leave(uint64(t.handle(slot)), why)
		return
	}
}

// tear takes a connection with a hole out of the sample until the tee ends.
func (t *Table) tear(c *Conn) {
	t.setSampled(c, false)
	c.set(flagTorn)
}

// tearUsers lets the connections go of users of whom a message was left out.
func (t *Table) tearUsers() {
	e := &t.tee
	if e.now.Run == 0 {
		return
	}
	for _, u := range t.Tap.TornUsers(e.users) {
		e.users++
		for _, h := range t.Router.Sessions(u) {
			if h.Loop() != t.Loop.Index {
				continue
			}
			if c := t.at(h); c != nil && c.is(flagSampled) {
				t.tear(c)
				e.shard.Leave(uint64(h), teewire.DropTorn)
			}
		}
	}
}

// teeIn mirrors a client's command. known says that it was understood. A login
// by token is mirrored by teeLogin.
func (t *Table) teeIn(slot uint32, c *Conn, b []byte, known bool) {
	switch {
	case t.tee.now.Run == 0:
	case c.is(flagTorn):
		t.tee.shard.Lost(teewire.KindIn)
	case !t.tee.shard.In(t.Loop.Now(), uint64(t.handle(slot)), b, known):
		t.tear(c)
	}
}

// teeLogin mirrors a login by token as one of the users that the token names.
// A token that was refused is not mirrored: nobody else could refuse it.
func (t *Table) teeLogin(slot uint32, c *Conn, ref json.RawMessage, users []string) {
	for _, u := range users {
		b, err := json.Marshal(struct {
			Type string          `json:"type"`
			User string          `json:"user"`
			Ref  json.RawMessage `json:"ref,omitempty"`
		}{"login", u, ref})
		if err == nil {
			t.teeIn(slot, c, b, true)
		}
		ref = nil // one answer
	}
}

// teeOut mirrors what a socket took: frames are whole messages, bytes all that
// was written.
func (t *Table) teeOut(slot uint32, c *Conn, frames uint32, bytes uint64) {
	e := &t.tee
	switch {
	case e.now.Run == 0:
	case c.is(flagTorn):
		e.shard.Lost(teewire.KindOut)
	default:
		e.out = teewire.Out{At: t.Loop.Now(), Conn: uint64(t.handle(slot)), Frames: frames, Bytes: uint32(bytes),
			Queued: c.queue.Count, Blocked: c.is(flagBlocked)}
		if !e.shard.Out(&e.out) {
			t.tear(c)
		}
	}
}

// teeClose mirrors the end of a connection, or of a long poll.
func (t *Table) teeClose(slot uint32, c *Conn, why push.CloseReason) {
	switch {
	case t.tee.now.Run == 0:
	case c.is(flagTorn):
		t.tee.shard.Lost(teewire.KindClose)
	default:
		t.tee.shard.Close(&teewire.Close{At: t.Loop.Now(), Conn: uint64(t.handle(slot)), Reason: why})
	}
	t.setSampled(c, false)
	c.clear(flagTorn)
}

// setSampled notes whether a connection is mirrored.
func (t *Table) setSampled(c *Conn, in bool) {
	switch {
	case in == c.is(flagSampled):
	case in:
		c.set(flagSampled)
		t.totals.Sampled++
	default:
		c.clear(flagSampled)
		t.totals.Sampled--
	}
}
