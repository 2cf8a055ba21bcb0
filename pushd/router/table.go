package router

// slot is a place in a shard's hash table: open addressing with linear
// probing, at most three quarters full. user 0 is an empty slot.
type slot struct {
	tag  uint32 // low half of the name's hash
	user uint32
}

// find returns a user's slot and record; record 0 when there is none.
func (s *shard) find(tag uint32, name []byte) (at, u uint32) {
	for at = tag & s.mask; ; at = (at + 1) & s.mask {
		e := &s.table[at]
		if e.user == 0 {
			return at, 0
		}
		if e.tag == tag && s.named(&s.users[e.user], name) {
			return at, e.user
		}
	}
}

// insert makes a record for a name that is not in the table; 0 when full.
func (s *shard) insert(tag uint32, name []byte) uint32 {
	if s.userFree.live+1 > (s.mask+1)/4*3 && !s.grow() {
		return 0
	}
	u := s.userFree.take(len(s.users), func(i uint32) *uint32 { return &s.users[i].more })
	if u == 0 {
		return 0
	}
	s.users[u] = user{}
	if !s.setName(&s.users[u], name) {
		s.userFree.give(u, &s.users[u].more)
		return 0
	}
	s.place(tag, u)
	return u
}

func (s *shard) place(tag, u uint32) {
	at := tag & s.mask
	for s.table[at].user != 0 {
		at = (at + 1) & s.mask
	}
	s.table[at] = slot{tag, u}
}

// grow doubles the table where it lies. The copy on the heap lives only for
// the call and holds no pointers.
func (s *shard) grow() bool {
	size := s.mask + 1
	if int(size)*2 > len(s.table) {
		return false
	}
	old := make([]slot, size)
	copy(old, s.table)
	clear(s.table[:size])
	s.mask = size*2 - 1
	for _, e := range old {
		if e.user != 0 {
			s.place(e.tag, e.user)
		}
	}
	return true
}

// remove deletes a user's record and closes the gap in the table by shifting
// back what was displaced over it (Knuth, volume 3, 6.4, algorithm R), so that
// no tombstones pile up.
func (s *shard) remove(u uint32) {
	name := s.appendName(nil, &s.users[u])
	_, tag := s.r.lookup(name)
	gap, _ := s.find(tag, name)
	for at := (gap + 1) & s.mask; s.table[at].user != 0; at = (at + 1) & s.mask {
		home := s.table[at].tag & s.mask
		if (at-home)&s.mask >= (at-gap)&s.mask {
			s.table[gap] = s.table[at]
			gap = at
		}
	}
	s.table[gap] = slot{}
	s.freeName(&s.users[u])
	s.userFree.give(u, &s.users[u].more)
}
