package tap

import (
	"sync"
	"sync/atomic"
)

// alsoMax bounds the users who are mirrored beside the sample.
const alsoMax = 1 << 16

// userSet are users, by their hash, who are not in the sample but on a
// connection that is there because of another one. Nobody leaves it before the
// tee ends: a message to somebody who is not connected is dropped by whom it is
// replayed on.
type userSet struct {
	n  atomic.Int64
	mu sync.RWMutex
	in map[uint64]struct{}
}

func (s *userSet) has(h uint64) bool {
	if s.n.Load() == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, in := s.in[h]
	return in
}

func (s *userSet) add(h uint64) bool {
	if s.has(h) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in) >= alsoMax {
		return false
	}
	if s.in == nil {
		s.in = map[uint64]struct{}{}
	}
	s.in[h] = struct{}{}
	s.n.Store(int64(len(s.in)))
	return true
}

// empty forgets all of them.
func (s *userSet) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = nil
	s.n.Store(0)
}

// Also mirrors the messages of a further user of a connection that is in the
// sample. False: there are too many, and the connection has to leave.
func (t *Tap) Also(user string) bool {
	r := t.run.Load()
	if r == nil {
		return true
	}
	h := hash(user)
	return stepAt(h) < r.steps.Load() || r.also.add(h)
}
