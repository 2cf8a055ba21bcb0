package tap

import "pushfleet/internal/teewire"

// Publish mirrors a message that the node was given, if its user is in the
// sample or on a connection that is; messages to groups and to everybody
// always. The time is made one that does not run backwards. Its slices are not
// kept.
func (t *Tap) Publish(m *teewire.Message) {
	r := t.run.Load()
	if r == nil {
		return
	}
	h := uint64(0)
	switch {
	case len(m.User) > 0:
		if h = hash(m.User); stepAt(h) >= r.steps.Load() && !r.also.has(h) {
			return
		}
	case len(m.Group) > 0:
		h = hash(m.Group)
	}
	t.pubOf(h).publish(r, h, m)
}

// pubOf chooses the shard: all messages of a user go to one, in their order.
func (t *Tap) pubOf(h uint64) *Shard { return t.pubs[uint32(h)%uint32(len(t.pubs))] }

func (s *Shard) publish(r *run, h uint64, m *teewire.Message) {
	user := len(m.User) > 0
	v := s.enter(r.number, teewire.KindPublish, recordHead+len(m.User)+len(m.Group)+len(m.ID)+len(m.Key)+len(m.Data))
	if v == off {
		return
	}
	_, torn := s.users[h]
	switch {
	case v == lost && user && !torn:
		s.tearUser(h, m.User)
	case v == lost && !user:
		s.all = s.why
	case v == lost:
	case user && torn:
		s.books.sent[teewire.KindPublish]--
		s.books.dropped[teewire.KindPublish][teewire.DropTorn]++
	default:
		s.append(m)
	}
	s.exit()
}

// append writes a message, redacted.
func (s *Shard) append(m *teewire.Message) {
	to := &s.msg
	*to = *m
	to.At = s.at(m.At)
	s.scratch = s.scratch[:0]
	if s.run.o.Redact != teewire.RedactOff {
		to.Data = s.blanks.of(len(m.Data))
	}
	if s.hide != nil {
		to.User, to.Group, to.ID, to.Key = s.hidden(m.User), s.hidden(m.Group), s.hidden(m.ID), s.hidden(m.Key)
	}
	s.cur.Publish(to)
	*to = teewire.Message{}
}

// hidden replaces a name, in memory of scratch.
func (s *Shard) hidden(name []byte) []byte {
	start := len(s.scratch)
	s.scratch = s.hide.append(s.scratch, name)
	return s.scratch[start:]
}
