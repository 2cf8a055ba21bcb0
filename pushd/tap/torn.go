package tap

import (
	"bytes"
	"sync"
	"sync/atomic"

	"pushfleet/internal/teewire"
)

// tell writes what is torn, at most n of it, while there is room. s.mu is held.
func (s *Shard) tell(n int) {
	for ; n > 0 && s.untold() && s.room(recordHead); n-- {
		var t teewire.Torn
		switch {
		case s.head < len(s.torn):
			t.Conn, t.Why = s.torn[s.head].conn, s.torn[s.head].why
			if s.head++; s.head == len(s.torn) {
				s.torn, s.head = s.torn[:0], 0
			}
		case len(s.names) > 0:
			t.User, t.Why = string(s.hide.append(nil, s.names[0])), teewire.DropBuffer
			s.names = s.names[1:]
		default:
			t.Why, s.all = s.all, teewire.DropNone
		}
		s.writeTorn(&t)
	}
}

func (s *Shard) untold() bool {
	return s.head < len(s.torn) || len(s.names) > 0 || s.all != teewire.DropNone
}

func (s *Shard) writeTorn(t *teewire.Torn) {
	t.At = s.at(s.tap.Clock())
	s.books.seen[teewire.KindTorn]++
	s.books.sent[teewire.KindTorn]++
	s.cur.Torn(t)
	s.handOver()
}

// tearUser is called, with s.mu held, when a message to a user was left out.
// When too many are torn, everything is.
func (s *Shard) tearUser(h uint64, user []byte) {
	if len(s.users) >= tornUsers {
		s.all = s.why
		return
	}
	if s.users == nil {
		s.users = map[uint64]struct{}{}
	}
	s.users[h] = struct{}{}
	s.names = append(s.names, bytes.Clone(user))
	s.run.torn.add(string(user))
	s.tap.gen.Add(1)
}

// users that are torn, for loops to look up.
type userList struct {
	n    atomic.Int64
	mu   sync.Mutex
	list []string // real names
}

func (u *userList) add(name string) {
	u.mu.Lock()
	u.list = append(u.list, name)
	u.mu.Unlock()
	u.n.Add(1)
}

// TornUsers returns, from the given one on, the users of the tee under way of
// whom a message was left out: their connections have to leave.
func (t *Tap) TornUsers(from int) []string {
	r := t.run.Load()
	if r == nil || r.torn.n.Load() <= int64(from) {
		return nil
	}
	r.torn.mu.Lock()
	defer r.torn.mu.Unlock()
	return r.torn.list[from:len(r.torn.list):len(r.torn.list)]
}

// Torn tells whether a user's messages have a hole, so that no connection of
// it may enter the sample.
func (t *Tap) Torn(user string) bool {
	r := t.run.Load()
	if r == nil || r.torn.n.Load() == 0 {
		return false
	}
	h := hash(user)
	s := t.pubOf(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, torn := s.users[h]
	return torn
}
