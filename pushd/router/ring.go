package router

import (
	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// ring holds the newest messages of a resumable user: positions pos-count+1 to
// pos. 52 bytes, made when the user becomes resumable: from then on it is told
// positions, which must not jump while other users of the shard come and go.
type ring struct {
	user       uint32
	pos        uint32 // of the newest message
	base       uint32 // position before the first message ever
	count      uint32
	head, tail uint32 // nodes, oldest first; threads the free list
	used       uint32 // ms clock of the last message or resumption
	since      uint32 // ms clock at which the last session ended
	gone       uint32 // 1 while there is no session
	lruNext    uint32
	lruPrev    uint32
	goneNext   uint32
	gonePrev   uint32
}

// node is one message in a ring.
type node struct {
	msg  slab.Ref
	next uint32
}

// nodeCost is added to a message's bytes for what keeps it.
const nodeCost = 64

// Resume asks a Login to make its user resumable, and is filled by it.
type Resume struct {
	Ask   bool   // the client told a position
	Epoch bool   // which is of this node and this start of it
	After uint32 // the position

	// Filled by Login.
	Messages []Replay // newer than After, oldest first; one reference each is the caller's
	Gap      bool     // something after After is not among them, or After is not known here
	Pos      uint32   // the newest position; messages routed to the connection have later ones
}

// From is the position to resume from as long as none of Messages has come.
func (q *Resume) From() uint32 {
	if len(q.Messages) > 0 {
		return q.Messages[0].Pos - 1
	}
	return q.Pos
}

// Replay is a message held for a user.
type Replay struct {
	Msg slab.Ref
	Pos uint32
}

// resume makes a user resumable and says what it missed. again is true if the
// user was logged in on the connection before: then it missed nothing.
func (s *shard) resume(u uint32, q *Resume, again bool) {
	if q == nil {
		return
	}
	i := s.makeRing(u)
	if i == 0 {
		q.Pos, q.Messages, q.Gap = 0, nil, true
		return
	}
	g := &s.rings[i]
	if g.count > 0 {
		s.touch(i)
	}
	q.Pos, q.Messages, q.Gap = g.pos, nil, false
	if again || !q.Ask {
		return
	}
	missed := g.pos - q.After
	if !q.Epoch || int32(missed) < 0 {
		q.Gap = true
		return
	}
	q.Gap = missed > g.count
	q.Messages = s.collect(g, min(missed, g.count))
}

// Missed returns what was routed to the first user of h after position after
// and before position before, and has not reached the connection: publishers
// take positions under the shard's lock, but their deliveries may overtake each
// other or be refused by a full inbox. One reference of each message is the
// caller's. gap tells that some of it is not held any more.
//
// Only the loop that owns h may call it.
func (r *Router) Missed(h push.Handle, head Link, after, before uint32) (missed []Replay, gap bool) {
	r.walk(h, head, func(s *shard, _ Link, e session) bool {
		i := s.users[e.user].ring
		if i == 0 {
			return false
		}
		g := s.rings[i]
		if int32(g.base-after) > 0 {
			after = g.base // nothing was before
		}
		if held := g.pos - g.count; int32(held-after) > 0 {
			gap = int32(before-after) > 1
			after = held
		}
		for _, m := range s.collect(&g, g.pos-after) {
			if int32(before-m.Pos) > 0 {
				missed = append(missed, m)
			} else {
				s.r.msgs.Release(m.Msg)
			}
		}
		return false
	})
	return missed, gap
}

// collect retains the newest n messages of a ring that have not expired.
func (s *shard) collect(g *ring, n uint32) []Replay {
	if n == 0 {
		return nil
	}
	out := make([]Replay, 0, n)
	now, pos := s.r.clock(), g.pos-g.count
	for i := g.head; i != 0; i = s.nodes[i].next {
		pos++
		msg := s.nodes[i].msg
		if g.pos-pos >= n || expired(s.r.msgs.Meta(msg).Deadline, now) {
			continue
		}
		s.r.msgs.Retain(msg, 1)
		out = append(out, Replay{msg, pos})
	}
	return out
}

// expired compares on the wrapping clock; a deadline of 0 is none.
func expired(deadline, now uint32) bool { return deadline != 0 && int32(now-deadline) >= 0 }

// append numbers a message and adds it to the user's ring; held is false if
// only the numbering was kept up.
func (s *shard) append(u uint32, msg slab.Ref) (pos uint32, held bool) {
	i := s.users[u].ring
	g := &s.rings[i]
	g.pos++
	if g.pos == 0 { // 0 is no position
		s.emptyRing(i)
		g.pos, g.base = 1, 0
	}
	limit := uint32(s.r.knobs.ReplayMessages.Get())
	for g.count > 0 && g.count >= limit {
		s.popOldest(i)
	}
	if limit > 0 {
		s.pushNewest(i, msg)
	}
	return g.pos, g.count > 0
}

// makeRing returns the user's ring, a new one if it has none. There are as many
// places as users; 0 is none.
func (s *shard) makeRing(u uint32) uint32 {
	rec := &s.users[u]
	if rec.ring != 0 {
		return rec.ring
	}
	i := s.ringFree.take(len(s.rings), func(i uint32) *uint32 { return &s.rings[i].head })
	if i == 0 {
		return 0
	}
	s.rings[i] = ring{user: u, pos: s.floor, base: s.floor}
	rec.ring = i
	return i
}

func (s *shard) pushNewest(i uint32, msg slab.Ref) {
	g := &s.rings[i]
	n := s.nodeFree.take(len(s.nodes), func(i uint32) *uint32 { return &s.nodes[i].next })
	if n == 0 {
		s.emptyRing(i) // positions held must be without a hole
		return
	}
	s.r.msgs.Retain(msg, 1)
	s.nodes[n] = node{msg: msg}
	if g.count == 0 {
		g.head = n
		s.lru.pushLast(i, s.lruLinks)
	} else {
		s.nodes[g.tail].next = n
	}
	g.tail = n
	g.count++
	s.r.ringBytes.Add(s.cost(msg))
	s.touch(i)
}

func (s *shard) cost(msg slab.Ref) int64 { return int64(s.r.msgs.Meta(msg).Len) + nodeCost }

func (s *shard) popOldest(i uint32) {
	g := &s.rings[i]
	n := g.head
	msg := s.nodes[n].msg
	g.head = s.nodes[n].next
	g.count--
	s.nodeFree.give(n, &s.nodes[n].next)
	s.r.ringBytes.Add(-s.cost(msg))
	s.r.msgs.Release(msg)
	if g.count == 0 {
		g.head, g.tail = 0, 0
		s.lru.remove(i, s.lruLinks)
	}
}

// emptyRing drops a ring's messages; the numbering stays.
func (s *shard) emptyRing(i uint32) {
	for s.rings[i].count > 0 {
		s.popOldest(i)
	}
}

// touch makes a ring with messages the most recently used.
func (s *shard) touch(i uint32) {
	s.rings[i].used = s.r.clock()
	if s.lru.last != i {
		s.lru.remove(i, s.lruLinks)
		s.lru.pushLast(i, s.lruLinks)
	}
}

// keep holds a user whose last session has ended, if it is resumable.
func (s *shard) keep(u uint32) bool {
	i := s.users[u].ring
	if i == 0 {
		return false
	}
	if s.r.knobs.ReplayTTL.Get() == 0 {
		s.dropRing(i)
		return false
	}
	g := &s.rings[i]
	g.gone, g.since = 1, s.r.clock()
	s.gone.pushLast(i, s.goneLinks)
	s.offline++
	return true
}

// comeBack ends the keeping of a user that has logged in again.
func (s *shard) comeBack(u uint32) {
	i := s.users[u].ring
	s.rings[i].gone = 0
	s.gone.remove(i, s.goneLinks)
	s.offline--
}

// dropRing forgets a ring. Whoever resumes from a position in it must see a
// gap, hence no later ring of the shard numbers from below.
func (s *shard) dropRing(i uint32) {
	g := &s.rings[i]
	s.emptyRing(i)
	if next := g.pos + 1; int32(next-s.floor) > 0 {
		s.floor = next
	}
	s.users[g.user].ring = 0
	s.ringFree.give(i, &g.head)
}
