package e2e

import (
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/testmachine"
)

// lateness watches how late this process comes to run, until the test ends: what
// must happen within some time may take so much longer.
func lateness(t testing.TB) (worst func() time.Duration) {
	var most atomic.Int64
	testmachine.Watch(t, func(_ time.Time, late time.Duration) { most.Store(max(most.Load(), int64(late))) })
	return func() time.Duration { return time.Duration(most.Load()) }
}

// busyShare is the pressure on processors from which on a machine says nothing
// about how quick a program is.
const busyShare = 60
