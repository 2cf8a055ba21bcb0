package reactor

import (
	"golang.org/x/sys/unix"

	"pushfleet/internal/rawsys"
)

// alarm ends the wait of a loop at a time of its Handler's choice, between two
// ticks. It has no descriptor until it is first asked for.
type alarm struct {
	timer *rawsys.Timer
	at    int64 // clock of the loop; 0 when not set
	ahead int64 // of CLOCK_MONOTONIC before the loop's clock, ns
}

// Alarm makes a turn happen at the time given, in ns of the loop's clock, or
// earlier: there is one alarm, and of several times the first counts. It costs
// a system call unless one is set that is not later. False means that there is
// no timer to be had, so the Handler has nothing to wait for but the next tick.
// Call it on the loop.
func (l *Loop) Alarm(at int64) bool {
	a := &l.alarm
	if a.at != 0 && a.at <= at {
		return true
	}
	if a.timer == nil && !l.makeAlarm() {
		return false
	}
	if a.timer.Set(l.Budget(), max(1, at+a.ahead)) != nil {
		return false
	}
	a.at = at
	return true
}

func (l *Loop) makeAlarm() bool {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return false
	}
	t, err := rawsys.NewTimer()
	if err != nil {
		return false
	}
	if l.poller.Add(t.FD(), unix.EPOLLIN|unix.EPOLLET, kindAlarm<<kindShift) != nil {
		t.Close()
		return false
	}
	l.alarm.timer, l.alarm.ahead = t, now.Nano()-l.Clock.Now()
	return true
}

func (a *alarm) close() {
	if a.timer != nil {
		a.timer.Close()
	}
}
