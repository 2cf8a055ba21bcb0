//go:build e2e

package e2e

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/testmachine"
)

// From these on alerts may fire though nothing is wrong with the fleet: shares
// of the last ten seconds in which somebody waited for a processor or a disk, in
// percent, and a time in which nothing ran. Keepers elect another leader after a
// quarter of a second.
const (
	busyCPU  = 60
	busyDisk = 30
	stallMin = 200 * time.Millisecond
	stallAge = 30 * time.Second // what the rules look back at, at most
)

// machine is watched for trouble of its own.
type machine struct{ stalled atomic.Int64 } // when nothing ran last, in ns since 1970

// watchMachine watches until the test ends.
func watchMachine(t *testing.T) *machine {
	m := &machine{}
	testmachine.Watch(t, func(now time.Time, late time.Duration) {
		if late > stallMin {
			m.stalled.Store(now.UnixNano())
		}
	})
	return m
}

// trouble says what is wrong with the machine, "" if nothing is.
func (m *machine) trouble() string {
	if ago := time.Since(time.Unix(0, m.stalled.Load())); ago < stallAge {
		return fmt.Sprintf("the machine stood still %.0f s ago", ago.Seconds())
	}
	for what, most := range map[string]float64{"cpu": busyCPU, "io": busyDisk} {
		if p := testmachine.Pressure(what); p > most {
			return fmt.Sprintf("the machine is busy, somebody waits for %s %.0f %% of the time", what, p)
		}
	}
	return ""
}
