package publish

import "pushfleet/internal/teewire"

// mirrors tells whether a tee reads.
func (b *batch) mirrors() bool { return b.p.Tap != nil && b.p.Tap.Active() }

// mirror gives a message to the tap, as it came: what is dropped here the
// reader of the tee is to drop by itself.
func (b *batch) mirror(s *Send, user *Text) {
	m := &b.mirrored
	*m = teewire.Message{At: b.at, Group: s.Group.Val, ID: s.ID.Val, Key: s.Key.Val, Class: byte(s.Class), TTL: s.TTL, Data: s.Data}
	if user != nil {
		m.User, m.Group = user.Val, nil
	}
	if s.breaks {
		b.scratch = append(b.scratch[:0], s.Data...)
		unbreak(b.scratch)
		m.Data = b.scratch
	}
	b.p.Tap.Publish(m)
}
