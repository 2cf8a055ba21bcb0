package steer

import (
	"sync"
	"time"

	"pushfleet/internal/keeperapi"
)

// Clock is the time that a keeper stamps into commands. It follows the wall
// clock, but at most 5 % faster or slower than time passes and never backwards:
// a leap of the wall clock must not end every temporary value of a fleet at
// once, nor keep them for an hour more.
type Clock struct {
	wall   func() time.Time
	passed func() time.Duration // since some moment, by the monotonic clock

	mu   sync.Mutex
	last time.Duration
	at   time.Time // what was told then
}

// slew is by how much the clock may run too fast or too slow: 1/slew.
const slew = 20

// NewClock starts at the wall clock, which may leap; nil = the system's.
func NewClock(wall func() time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	began := time.Now()
	return newClock(wall, func() time.Duration { return time.Since(began) })
}

func newClock(wall func() time.Time, passed func() time.Duration) *Clock {
	return &Clock{wall: wall, passed: passed, last: passed(), at: wall().Round(0)} // without the monotonic reading
}

// Now returns the time.
func (c *Clock) Now() keeperapi.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	mono := c.passed()
	since := max(mono-c.last, 0)
	c.last = mono
	c.at = c.at.Add(since)
	off := c.wall().Round(0).Sub(c.at)
	c.at = c.at.Add(min(max(off, -since/slew), since/slew))
	return keeperapi.TimeOf(c.at)
}
