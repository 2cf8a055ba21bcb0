package reactor

import "time"

// Clock counts nanoseconds on the monotonic clock. It begins at one second, so
// that no reading is ever 0 and 0 can mean "never" in records.
type Clock struct{ base time.Time }

// NewClock starts a clock.
func NewClock() *Clock { return &Clock{base: time.Now().Add(-time.Second)} }

// Now returns the reading in ns.
func (c *Clock) Now() int64 { return int64(time.Since(c.base)) }

// MS turns a reading into the wrapping millisecond clock of records.
func MS(ns int64) uint32 { return uint32(uint64(ns) / 1e6) }

// Wall returns the wall-clock time of a reading.
func (c *Clock) Wall(ns int64) time.Time { return c.base.Add(time.Duration(ns)).Round(0) }
