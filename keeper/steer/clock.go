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
	wall func() time.Time

	mu   sync.Mutex
	last time.Time // with monotonic reading
	at   time.Time // what was told then
}

// slew is by how much the clock may run too fast or too slow: 1/slew.
const slew = 20

// NewClock starts at the wall clock, which is time.Now but in tests.
func NewClock(wall func() time.Time) *Clock {
	now := wall()
	return &Clock{wall: wall, last: now, at: now.Round(0)}
}

// Now returns the time.
func (c *Clock) Now() keeperapi.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.wall()
	passed := max(now.Sub(c.last), 0) // of the monotonic clock
	c.last = now
	c.at = c.at.Add(passed)
	off := now.Round(0).Sub(c.at)
	c.at = c.at.Add(min(max(off, -passed/slew), passed/slew))
	return keeperapi.TimeOf(c.at)
}
