package probe

import "time"

// pauses are the parts of its time in which a probe watches.
type pauses struct {
	since  time.Time     // of the part that lasts; zero in a pause
	before time.Duration // all parts before
	parts  int
	resume time.Time // end of the pause
	cut    uint64    // what pauses cut off
}

// watched is the time watched up to a moment.
func (p *pauses) watched(now time.Time) time.Duration {
	if p.since.IsZero() {
		return p.before
	}
	return p.before + now.Sub(p.since)
}

// stop ends the part that lasts.
func (p *pauses) stop(now time.Time) { p.before, p.since = p.watched(now), time.Time{} }

// start begins a part.
func (p *pauses) start(now time.Time) {
	p.since = now
	p.parts++
}

// budget keeps the mean cost of the whole time within MaxCPU: after a part that
// was dear the probe detaches for so long that the end of the next part makes up
// for both, and ends at once if its time would be over before that.
func (s *session) budget(now time.Time) (End, error) {
	p := &s.pauses
	switch {
	case s.o.MaxCPU == 0:
		return "", nil
	case p.since.IsZero():
		if now.Before(p.resume) {
			return "", nil
		}
		return s.goOn()
	case now.Sub(p.since) < budgetMin:
		return "", nil
	}
	spent := s.spent(now).Seconds()
	if spent <= s.o.MaxCPU*now.Sub(s.began).Seconds() {
		return "", nil
	}
	part := spent / p.watched(now).Seconds() * budgetMin.Seconds() // of a further one
	end := (spent + part) / s.o.MaxCPU                             // s from the begin, when all of it is made up for
	if s.place == nil || end > s.o.Duration.Seconds() {
		return EndBudget, nil
	}
	p.resume = s.began.Add(time.Duration(end*float64(time.Second)) - budgetMin)
	return "", s.pause()
}

// spent is CPU time that the probe has taken so far.
func (s *session) spent(now time.Time) time.Duration {
	if s.o.spent != nil {
		return s.o.spent(s.pauses.watched(now))
	}
	return s.meter.spent(s.counters)
}

// pause takes the breakpoints away for a while.
func (s *session) pause() error {
	err := s.links.Close()
	s.links = nil
	s.pauses.stop(time.Now())
	if err != nil {
		return err
	}
	return s.drop()
}

// drop forgets what has begun: its end might come in the pause, and what ends
// after it might have begun again.
func (s *session) drop() error {
	n, err := s.forget()
	s.pauses.cut += n
	return err
}

// goOn ends a pause.
func (s *session) goOn() (End, error) {
	if err := s.drop(); err != nil { // what a program that still ran has begun
		return EndInterrupted, err
	}
	ls, err := s.place()
	switch {
	case err == nil:
		s.links = ls
		s.pauses.start(time.Now())
		return "", nil
	case s.t.exited():
		return EndExited, nil
	}
	return EndInterrupted, err
}
