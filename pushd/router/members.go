package router

import "pushfleet/internal/knob"

// GLink is the head of a connection's list of its groups; 0 is none.
type GLink uint32

// member is one connection in one group, 16 bytes.
type member struct {
	slot  uint32 // of the connection; left when it is no member any more
	group uint32
	conn  GLink  // the connection's next group
	next  uint32 // the group's next member, or the next free record
}

// left marks a record that is out of its connection's list and waits to be
// taken out of its group's.
const left = 1 << 31

// roll is the list of a group's members on one loop.
type roll struct {
	first uint32
	live  uint32
	dead  uint32 // records marked left
	walks uint32 // walks under way; none of the records they may stand on is freed
}

// chunkBits sizes the pieces in which records are made: a growing slice would
// have to be copied, on the loop.
const chunkBits = 12

// Members knows which of a loop's connections are in which groups. It is owned
// by the loop. A member costs 16 bytes.
type Members struct {
	max    *knob.Int
	chunks [][]member
	free   uint32
	high   uint32
	live   int64
	rolls  map[uint32]roll
}

// NewMembers makes an empty one.
func NewMembers(k Knobs) *Members {
	return &Members{max: k.ConnGroupsMax, rolls: map[uint32]roll{}}
}

// Len returns the number of members of all groups.
func (m *Members) Len() int64 { return m.live }

// Bytes returns the memory of the records.
func (m *Members) Bytes() int64 { return int64(len(m.chunks)) << chunkBits * 16 }

func (m *Members) rec(i uint32) *member { return &m.chunks[i>>chunkBits][i&(1<<chunkBits-1)] }

// Add makes the connection in slot a member, whose list of groups begins with
// head, and returns the list's new head. already is true if it was one. The
// error is ErrConnGroups.
func (m *Members) Add(group, slot uint32, head GLink) (newHead GLink, already bool, err error) {
	n := int64(0)
	for l := head; l != 0; l = m.rec(uint32(l)).conn {
		if m.rec(uint32(l)).group == group {
			return head, true, nil
		}
		n++
	}
	if n >= m.max.Get() {
		return head, false, ErrConnGroups
	}
	i := m.take()
	r := m.rolls[group]
	*m.rec(i) = member{slot: slot, group: group, conn: head, next: r.first}
	r.first = i // at the front: a walk under way does not meet it
	r.live++
	m.rolls[group] = r
	m.live++
	return GLink(i), false, nil
}

// Remove ends a membership and returns the new head of the connection's list;
// was is false if there was none.
func (m *Members) Remove(group, slot uint32, head GLink) (newHead GLink, was bool) {
	for at := &head; *at != 0; at = &m.rec(uint32(*at)).conn {
		i := uint32(*at)
		if rec := m.rec(i); rec.group == group && rec.slot == slot {
			*at = rec.conn
			m.leave(i)
			return head, true
		}
	}
	return head, false
}

// DropAll ends all memberships of a connection and calls f with each group.
func (m *Members) DropAll(slot uint32, head GLink, f func(group uint32)) {
	for head != 0 {
		i := uint32(head)
		rec := m.rec(i)
		if rec.slot != slot {
			return
		}
		group := rec.group
		head = rec.conn
		m.leave(i)
		f(group)
	}
}

// Groups returns the groups of a connection, the last joined first.
func (m *Members) Groups(head GLink) (groups []uint32) {
	for ; head != 0; head = m.rec(uint32(head)).conn {
		groups = append(groups, m.rec(uint32(head)).group)
	}
	return groups
}

// Walk calls fn with the slots of the next n members of a group. cursor is 0 at
// first and then what the call before returned; done ends it. A walk sees each
// connection that is a member from its first call to its last exactly once,
// and none that joins meanwhile. fn may add and remove members. Every walk
// must be walked to its end or ended by Stop.
func (m *Members) Walk(group, cursor uint32, n int, fn func(slot uint32)) (next uint32, done bool) {
	r := m.rolls[group]
	if cursor == 0 {
		if r.first == 0 {
			return 0, true
		}
		cursor = r.first
		r.walks++
		m.rolls[group] = r
	}
	for ; n > 0 && cursor != 0; cursor = m.rec(cursor).next {
		if slot := m.rec(cursor).slot; slot != left {
			fn(slot)
			n--
		}
	}
	if cursor == 0 {
		m.Stop(group)
		return 0, true
	}
	return cursor, false
}

// Stop ends a walk before its end.
func (m *Members) Stop(group uint32) {
	r := m.rolls[group]
	if r.walks > 0 {
		r.walks--
		m.sweep(group, r)
	}
}

func (m *Members) leave(i uint32) {
	rec := m.rec(i)
	group := rec.group
	rec.slot, rec.conn = left, 0
	m.live--
	r := m.rolls[group]
	r.live--
	r.dead++
	m.sweep(group, r)
}

// sweep frees the records of those who left, when they are more than those who
// stay: so each leave pays for a bounded part of it.
func (m *Members) sweep(group uint32, r roll) {
	if r.walks > 0 || r.dead <= r.live {
		m.rolls[group] = r
		return
	}
	for at := &r.first; *at != 0; {
		i := *at
		rec := m.rec(i)
		if rec.slot != left {
			at = &rec.next
			continue
		}
		*at = rec.next
		rec.next = m.free
		m.free = i
	}
	r.dead = 0
	if r.live == 0 {
		delete(m.rolls, group)
		return
	}
	m.rolls[group] = r
}

func (m *Members) take() uint32 {
	if i := m.free; i != 0 {
		m.free = m.rec(i).next
		return i
	}
	m.high++
	if int(m.high>>chunkBits) >= len(m.chunks) {
		m.chunks = append(m.chunks, make([]member, 1<<chunkBits))
	}
	return m.high
}
