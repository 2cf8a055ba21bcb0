package router

import "time"

// list is a doubly linked list of rings through two of their fields.
type list struct{ first, last uint32 }

func (s *shard) lruLinks(i uint32) (next, prev *uint32) {
	return &s.rings[i].lruNext, &s.rings[i].lruPrev
}

func (s *shard) goneLinks(i uint32) (next, prev *uint32) {
	return &s.rings[i].goneNext, &s.rings[i].gonePrev
}

func (l *list) pushLast(i uint32, links func(uint32) (next, prev *uint32)) {
	next, prev := links(i)
	*next, *prev = 0, l.last
	if l.last != 0 {
		n, _ := links(l.last)
		*n = i
	} else {
		l.first = i
	}
	l.last = i
}

func (l *list) remove(i uint32, links func(uint32) (next, prev *uint32)) {
	next, prev := links(i)
	if *prev != 0 {
		n, _ := links(*prev)
		*n = *next
	} else {
		l.first = *next
	}
	if *next != 0 {
		_, p := links(*next)
		*p = *prev
	} else {
		l.last = *prev
	}
	*next, *prev = 0, 0
}

// expirePerLock bounds how long Expire holds a shard.
const expirePerLock = 256

// Expire forgets users whose last session ended replay.ttl ago or longer. now
// is the node's millisecond clock; call it about once a second.
func (r *Router) Expire(now uint32) {
	ttl := uint32(r.knobs.ReplayTTL.Get() / time.Millisecond)
	for i := range r.shards {
		for r.shards[i].expire(now, ttl) {
		}
	}
}

// expire returns true if there may be more to do.
func (s *shard) expire(now, ttl uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range expirePerLock {
		i := s.gone.first
		if i == 0 || now-s.rings[i].since < ttl {
			return false
		}
		u := s.rings[i].user
		s.gone.remove(i, s.goneLinks)
		s.offline--
		s.dropRing(i)
		s.remove(u)
	}
	return true
}

// giveWay empties the least recently used rings until a sixteenth of the
// budget is free, so that not every publish has to search.
func (r *Router) giveWay() {
	if !r.giving.TryLock() {
		return // somebody is at it
	}
	defer r.giving.Unlock()
	limit := r.knobs.ReplayBytes.Get()
	for r.ringBytes.Load() > limit-limit/16 {
		s := r.oldest()
		if s == nil {
			return
		}
		s.mu.Lock()
		if i := s.lru.first; i != 0 {
			s.emptyRing(i)
		}
		s.mu.Unlock()
	}
}

// oldest returns the shard with the least recently used ring; nil if no ring
// holds anything.
func (r *Router) oldest() (old *shard) {
	now, age := r.clock(), uint32(0)
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		if first := s.lru.first; first != 0 {
			if a := now - s.rings[first].used; old == nil || a > age {
				old, age = s, a
			}
		}
		s.mu.Unlock()
	}
	return old
}
