package queue

import (
	"pushfleet/internal/decay"
)

// Account brings the windows and columns of a connection up to date after its
// queue was offered to and written from: out messages of bytes bytes went to
// the socket since the last call.
func (s *Set) Account(q *Q, slot uint32, out, bytes uint32, nowMS uint64) {
	in := q.Seq - q.accounted
	q.accounted = q.Seq
	before := s.Cols.Queued[slot] // the loop is the only writer
	if in == 0 && out == 0 && before == q.Count {
		return
	}
	if q.win == 0 && !s.newWindow(q, slot, nowMS) {
		s.sync(q, slot, before)
		return
	}
	w := &s.Cols.Win[q.win]
	w.Add(uint32(nowMS), in, out, bytes, before, q.Count)
	s.Cols.SetKeys(q.win, w.Keys(nowMS))
	s.sync(q, slot, before)
}

func (s *Set) sync(q *Q, slot, before uint32) {
	if before != q.Count || q.Count > 0 {
		s.Cols.SetQueued(slot, q.Count, q.Bytes)
	}
}

func (s *Set) newWindow(q *Q, slot uint32, nowMS uint64) bool {
	w, ok := s.wins.Take()
	if !ok {
		return false
	}
	q.win = w
	s.Cols.Win[w] = decay.Windows{At: uint32(nowMS)}
	s.Cols.SetOwner(w, slot+1)
	s.Cols.WinUsed.Store(s.wins.High())
	return true
}

// FreeWindow gives the connection's windows back, when it ends or has been
// idle for so long that they hold nothing any more.
func (s *Set) FreeWindow(q *Q) {
	if q.win == 0 {
		return
	}
	s.Cols.SetOwner(q.win, 0)
	s.Cols.SetKeys(q.win, decay.Keys{})
	s.wins.Give(q.win)
	q.win = 0
}

// Idle tells that the connection has windows that saw nothing for ms.
func (s *Set) Idle(q *Q, now, ms uint32) bool {
	return q.win != 0 && q.Count == 0 && now-s.Cols.Win[q.win].At > ms
}

// Window returns the connection's windows, nil before its first message.
func (s *Set) Window(q *Q) *decay.Windows {
	if q.win == 0 {
		return nil
	}
	return &s.Cols.Win[q.win]
}
