package e2e

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// lateness watches how late this process comes to run, until the test ends: what
// must happen within some time may take so much longer.
func lateness(t testing.TB) (worst func() time.Duration) {
	const every = 20 * time.Millisecond
	var most atomic.Int64
	over, done := make(chan struct{}), make(chan struct{})
	go func() { // ended by the cleanup
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			now := time.Now()
			most.Store(max(most.Load(), int64(now.Sub(last)-every)))
			last = now
		}
	}()
	t.Cleanup(func() { close(over); <-done })
	return func() time.Duration { return time.Duration(most.Load()) }
}

// busyShare is the share of the last ten seconds, in percent, in which somebody
// waited for a processor from which on a machine says nothing about how quick a
// program is.
const busyShare = 60

// busy tells that share; 0 where the kernel does not.
func busy() (percent float64) {
	b, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscanf(string(b), "some avg10=%f", &percent); err != nil {
		return 0
	}
	return percent
}
