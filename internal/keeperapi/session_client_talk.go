package keeperapi

import (
	"context"
	"errors"
	"time"
)

// Bounds of a session's times.
const (
	beatMin  = 10 * time.Millisecond
	beatMax  = 5 * time.Minute
	silentIn = 3 // beats without a word after which a keeper counts as gone
	leaveMax = 500 * time.Millisecond
)

// farewell is a Bye as an error.
type farewell struct{ Bye }

func (f *farewell) Error() string { return "the keeper says goodbye: " + f.Reason }

// talk is the state of one connection, used by the session's goroutine only.
type talk struct {
	*Session
	*link
	beat  time.Duration // 0 until the welcome
	of    string        // cluster, from the welcome on
	next  *time.Timer   // of a beat
	heard time.Time     // last word of the keeper since the welcome
}

// talk says hello and then serves the connection until it ends.
func (s *Session) talk(ctx context.Context, l *link) (heard time.Time, err error) {
	done := make(chan struct{})
	frames, ended := make(chan KeeperFrame), make(chan error, 1)
	go l.read(frames, ended, done) // ended by closing done and the connection
	defer l.conn.Close()
	defer close(done)
	t := &talk{Session: s, link: l, next: time.NewTimer(time.Hour)}
	t.next.Stop()
	defer func() { t.next.Stop(); s.said.again(t.heard.Add(-t.beat)) }()
	if err := t.write(NodeFrame{Hello: new(s.h.Hello(false))}); err != nil {
		return time.Time{}, err
	}
	for {
		var said <-chan struct{}
		if t.beat > 0 { // nothing is said to a keeper that has not taken us
			said = s.said.ready
		}
		select {
		case <-ctx.Done():
			if t.beat > 0 && t.flush() == nil {
				l.leave(ended, frames)
			}
			return t.heard, ctx.Err()
		case err := <-ended:
			return t.heard, err
		case f := <-frames:
			err = t.hear(f)
		case <-t.next.C:
			err = t.sendBeat()
		case <-said:
			err = t.flush()
		}
		if err != nil {
			return t.heard, err
		}
	}
}

// hear does what a frame asks for. Fields of later builds are ignored.
func (t *talk) hear(f KeeperFrame) error {
	if t.beat > 0 {
		t.heard = time.Now()
	}
	if f.Bye != nil {
		return &farewell{*f.Bye}
	}
	if f.Need != "" {
		if err := t.write(NodeFrame{Hello: new(t.h.Hello(f.Need == "definition"))}); err != nil {
			return err
		}
	}
	if f.Welcome != nil {
		if err := t.welcome(f.Welcome); err != nil {
			return err
		}
	}
	if u, ok := f.update(); ok {
		if t.beat == 0 || f.NowMS <= 0 {
			return errors.New("the keeper sent values without a welcome or its clock")
		}
		u.Cluster = t.of
		if err := t.write(NodeFrame{Ack: new(t.h.Update(u))}); err != nil {
			return err
		}
	}
	if f.Check != nil {
		c := t.h.Check(*f.Check)
		c.ID = f.Check.ID
		return t.write(NodeFrame{Checked: &c})
	}
	return nil
}

// update returns what a frame says about values.
func (f *KeeperFrame) update() (Update, bool) {
	switch {
	case f.Knobs != nil:
		u := Update{Full: true, Revision: f.Knobs.Revision, Position: f.Knobs.Position, Now: f.NowMS,
			Knobs: make(map[string]*Held, len(f.Knobs.Knobs))}
		for name, h := range f.Knobs.Knobs {
			u.Knobs[name] = &h
		}
		return u, true
	case f.Delta != nil:
		return Update{Revision: f.Delta.Revision, Position: f.Delta.Position, Now: f.NowMS, Knobs: f.Delta.Knobs}, true
	}
	return Update{}, false
}

func (t *talk) welcome(w *Welcome) error {
	beat := time.Duration(w.BeatMS) * time.Millisecond
	if beat < beatMin || beat > beatMax {
		return errors.New("the keeper's welcome names no sensible time between beats")
	}
	t.beat, t.heard, t.of = beat, time.Now(), w.Cluster
	if err := t.conn.expect(silentIn * beat); err != nil {
		return err
	}
	t.welcomed(w.Member)
	t.log.Info("session with the keeper", "leader", w.Member, "cluster", w.Cluster, "beat", beat.String())
	if err := t.sendBeat(); err != nil {
		return err
	}
	return t.flush()
}

// sendBeat gives a sign of life, and plans the next: a little early at random,
// so that nodes that came together do not beat together for long.
func (t *talk) sendBeat() error {
	t.next.Reset(spread(t.beat*8/10, t.beat))
	return t.write(NodeFrame{Beat: new(t.h.Beat())})
}

// flush writes what was said.
func (t *talk) flush() error {
	for {
		f, ok := t.said.take(time.Now())
		if !ok {
			return nil
		}
		if err := t.write(f); err != nil {
			return err
		}
	}
}
