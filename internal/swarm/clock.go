package swarm

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock reads CLOCK_MONOTONIC in nanoseconds without a system call. Unlike
// time.Time its values mean the same in every process of the machine, so a
// sender may stamp them into a payload.
type Clock struct {
	base   time.Time
	offset int64
}

// NewClock ties Go's monotonic clock, which is CLOCK_MONOTONIC less an unknown
// start, to the kernel's; the error is below a microsecond.
func NewClock() Clock {
	c := Clock{base: time.Now()}
	best := int64(1) << 62
	for range 16 {
		before := time.Since(c.base)
		var ts unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
			continue
		}
		after := time.Since(c.base)
		if d := int64(after - before); d < best {
			best = d
			c.offset = ts.Nano() - int64(before+after)/2
		}
	}
	return c
}

// Now returns the time in nanoseconds.
func (c Clock) Now() int64 { return c.offset + int64(time.Since(c.base)) }
