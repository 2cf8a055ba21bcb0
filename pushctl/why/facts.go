package why

import "pushfleet/internal/pushdapi"

// facts is evidence as rates and shares.
type facts struct {
	e      *Evidence
	w      pushdapi.Watched
	s      pushdapi.WatchedSocket
	socket bool    // s is known
	over   float64 // seconds, above 0

	in, now, usual, out float64 // messages per second: over the time, the most of late, before, taken
	old                 bool    // usual is known, be it 0
}

// overLeast is the shortest time in seconds that rates are made of.
const overLeast = 0.1

// usualAge is the least age in seconds, when watching began, of a connection
// whose usual rate is known.
const usualAge = 8

func read(e *Evidence) *facts {
	f := &facts{e: e}
	if e.Seen != nil {
		f.w = *e.Seen
	}
	if f.w.Socket != nil {
		f.s, f.socket = *f.w.Socket, true
	}
	f.over = max(f.w.OverSeconds, overLeast)
	f.in, f.out = float64(f.w.Offered)/f.over, float64(f.w.Delivered)/f.over
	r := &f.w.Conn.Rates.In
	f.usual, f.now = f.w.UsualIn, max(f.in, r.S1, r.S10)
	f.old = f.w.Conn.AgeSeconds-f.over >= usualAge
	return f
}

// held is how much is held back, 0 to 1, by whomever: messages wait or are
// lost, segments are lost, or the loop comes late.
func (f *facts) held() float64 {
	h := max(f.waits(), f.late(), f.loss(), f.silent())
	if f.w.Dropped > 0 {
		h = 1
	}
	return max(h, min(f.closed(), ramp(f.s.Unsent, 0, 0.3)))
}

// waits: messages are in the queue for long.
func (f *facts) waits() float64 { return ramp(f.w.Queue.OldestSeconds, 0.05, 0.5) }

// late: the loop took long to take up work, all the time or now and then.
func (f *facts) late() float64 {
	l := &f.w.Loop
	return max(ramp(l.LateMean, 0.005, 0.03), ramp(l.Late.P99, 0.03, 0.2))
}

// closed: the client's receive window was full.
func (f *facts) closed() float64 {
	c := ramp(f.s.RwndLimited, 0.2, 0.6)
	if f.s.ProbesMax > 0 && f.s.AckedBytes == 0 {
		c = max(c, 0.9*ramp(f.s.Unsent, 0.3, 0.8)*(1-f.silent()))
	}
	return c
}

// loss: segments were sent again.
func (f *facts) loss() float64 {
	if f.s.Segments == 0 {
		return 0
	}
	return ramp(float64(f.s.Resent)/float64(f.s.Segments), 0.005, 0.04) * ramp(float64(f.s.Resent), 1, 6)
}

// silent: data is on its way and nothing comes back.
func (f *facts) silent() float64 { return ramp(f.s.SilentMax, 0.8, 3) }

// full: data waits in the kernel although neither window nor buffer is full.
func (f *facts) full() float64 {
	return ramp(f.s.Busy-f.s.RwndLimited-f.s.SndbufLimited, 0.5, 0.9) * ramp(f.s.Unsent, 0.3, 0.8)
}

// burst: more is published to it than usual.
func (f *facts) burst() float64 {
	if !f.old {
		return 0
	}
	return ramp(f.now/max(f.usual, 0.5), 1.5, 3) * ramp(f.now, 1, 5)
}

// takes: the client takes what it is usually sent, so that only what goes
// beyond is too much. Where nothing was sent before, a fair part of what is
// sent now.
func (f *facts) takes() float64 {
	if f.usual < 1 {
		return ramp(f.out/max(f.in, 1), 0.05, 0.3)
	}
	return ramp(f.out/f.usual, 0.3, 0.8)
}

// beyond: a burst that hurts although the client takes what it always did.
func (f *facts) beyond() float64 {
	hurts := max(f.waits(), ramp(float64(f.w.Queue.Max), 1, 20), f.closed())
	if f.w.Dropped > 0 {
		hurts = 1
	}
	return f.burst() * f.takes() * hurts
}
