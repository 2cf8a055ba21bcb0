package router

import "pushfleet/internal/push"

// Link names one session of one user: shard (6 bits), whether it is a further
// session (1), index (25). 0 is the end of a list.
type Link uint32

const (
	linkMore  = 1 << 25
	linkIndex = linkMore - 1
)

func (l Link) shard() uint32 { return uint32(l) >> (32 - shardBits) }
func (l Link) more() bool    { return l&linkMore != 0 }
func (l Link) index() uint32 { return uint32(l & linkIndex) }

func (s *shard) linkTo(i uint32, more bool) Link {
	l := Link(s.index<<(32-shardBits) | i)
	if more {
		l |= linkMore
	}
	return l
}

// session is a Link looked up: what it holds, where its next is kept.
type session struct {
	h    *handle
	next *Link
	user uint32
}

// at looks a Link up. ok is false if it does not belong to h: the caller read
// it before the connection ended or moved on.
func (s *shard) at(l Link, h push.Handle) (e session, ok bool) {
	i := l.index()
	if l.more() {
		if i > s.linkFree.high {
			return e, false
		}
		k := &s.links[i]
		return session{&k.handle, &k.next, k.user}, k.get() == h
	}
	if i > s.userFree.high {
		return e, false
	}
	u := &s.users[i]
	return session{&u.handle, &u.next, i}, u.get() == h
}

// attach adds a session to a user; false when there is no link left.
func (s *shard) attach(u uint32, h push.Handle, next Link) (Link, bool) {
	rec := &s.users[u]
	if rec.get() == 0 {
		rec.set(h)
		rec.next = next
		s.sessions++
		return s.linkTo(u, false), true
	}
	i := s.linkFree.take(len(s.links), func(i uint32) *uint32 { return &s.links[i].more })
	if i == 0 {
		return 0, false
	}
	k := link{next: next, more: rec.more, user: u}
	k.set(h)
	s.links[i] = k
	rec.more = i
	s.sessions++
	return s.linkTo(i, true), true
}

// detach removes a session from its user; the connection's list must already
// lead past it.
func (s *shard) detach(l Link) {
	s.sessions--
	i := l.index()
	if !l.more() {
		s.users[i].set(0)
		s.users[i].next = 0
		return
	}
	at := &s.users[s.links[i].user].more
	for *at != i {
		at = &s.links[*at].more
	}
	*at = s.links[i].more
	s.links[i] = link{}
	s.linkFree.give(i, &s.links[i].more)
}

// handles appends the sessions of a user.
func (s *shard) handles(u uint32, dst []push.Handle) []push.Handle {
	rec := &s.users[u]
	if h := rec.get(); h != 0 {
		dst = append(dst, h)
	}
	for i := rec.more; i != 0; i = s.links[i].more {
		dst = append(dst, s.links[i].get())
	}
	return dst
}

// holds tells whether h is among the sessions of a user, and how many there are.
func (s *shard) holds(u uint32, h push.Handle) (yes bool, n int64) {
	rec := &s.users[u]
	if v := rec.get(); v != 0 {
		yes, n = v == h, 1
	}
	for i := rec.more; i != 0; i = s.links[i].more {
		yes = yes || s.links[i].get() == h
		n++
	}
	return yes, n
}

func (s *shard) online(u uint32) bool {
	return s.users[u].get() != 0 || s.users[u].more != 0
}
