// Package testmachine tells tests how busy the machine is that they run on.
package testmachine

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// Pressure is the share of the last ten seconds, in percent, in which somebody
// waited for "cpu", "io" or "memory"; 0 where the kernel does not tell.
func Pressure(of string) (percent float64) {
	b, err := os.ReadFile("/proc/pressure/" + of)
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscanf(string(b), "some avg10=%f", &percent); err != nil {
		return 0
	}
	return percent
}

// lookEvery is how often this process should come to run.
const lookEvery = 20 * time.Millisecond

// Watch tells f, until the test ends, by how much later than it should this
// process came to run, some 50 times a second. f is called by one goroutine.
func Watch(t testing.TB, f func(now time.Time, late time.Duration)) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() { // ended by the cleanup
		defer close(done)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			now := time.Now()
			f(now, max(0, now.Sub(last)-lookEvery))
			last = now
		}
	}()
	t.Cleanup(func() { close(over); <-done })
}
