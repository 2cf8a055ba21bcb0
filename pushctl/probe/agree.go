package probe

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Said is what a runtime says of its collector at a moment, as
// debug.ReadGCStats has it.
type Said struct {
	Cycles uint64
	Paused int64 // ns, in all of them
	last   uint64
}

// Says notes what a runtime said just now; last is the end of the last cycle in
// ns since 1970, 0 if there was none.
func Says(cycles uint64, paused, last int64) Said {
	s := Said{Cycles: cycles, Paused: paused}
	if day, mono := bothClocks(); last > 0 {
		s.last = uint64(max(0, mono-(day-last)))
	}
	return s
}

// bothClocks reads the time of day and CLOCK_MONOTONIC at one moment, both in ns. A
// thread may lose its processor between the two, so the quickest of some looks
// counts.
func bothClocks() (day, mono int64) {
	least := int64(math.MaxInt64)
	for range 5 {
		before := monotonic()
		now := time.Now().UnixNano()
		if took := monotonic() - before; took < least {
			day, mono, least = now, before+took/2, took
		}
	}
	return day, mono
}

// monotonic is CLOCK_MONOTONIC in ns, which the programs in the kernel and Go's
// runtime read; 0 where it cannot be read.
func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

// wall is the time of day at a moment of CLOCK_MONOTONIC not long ago.
func wall(ns uint64) time.Time {
	day, mono := bothClocks()
	return time.Unix(0, day+int64(ns)-mono)
}

// Agreement holds a probe against the process's own figures, from one moment
// to another while it watched.
type Agreement struct {
	Agrees        bool    `json:"agrees"`
	Cycles        uint64  `json:"cycles"` // that the probe saw
	RuntimeCycles uint64  `json:"runtime_cycles"`
	Paused        float64 `json:"paused_seconds"` // in these, added up as the runtime does
	RuntimePaused float64 `json:"runtime_paused_seconds"`
	// Why pauses are not compared: "begun before", for a cycle that the probe
	// saw a part of, or "" if they are.
	Apart string `json:"not_compared,omitempty"`
}

// agreeSlack is how far the clocks of the two may be apart, in ns: the runtime
// says times of day, the probe reads the clock behind them. A cycle takes
// longer.
const agreeSlack = 50_000

// agreeShare is how far sums of pauses may differ: both are of the same
// timestamps.
const agreeShare = 0.01

// Compare holds the cycles that ended between two moments against what the
// runtime said at them.
func (r *GCReport) Compare(before, after Said) Agreement {
	a := Agreement{RuntimeCycles: after.Cycles - before.Cycles, RuntimePaused: float64(after.Paused-before.Paused) / 1e9}
	var paused uint64
	for _, e := range r.ends {
		if e.at <= before.last+agreeSlack || e.at > after.last+agreeSlack {
			continue
		}
		a.Cycles++
		paused += e.paused
		if !e.whole {
			a.Apart = "begun before"
		}
	}
	a.Paused = seconds(paused)
	a.Agrees = a.Cycles == a.RuntimeCycles &&
		(a.Apart != "" || math.Abs(a.Paused-a.RuntimePaused) <= agreeShare*a.RuntimePaused)
	return a
}
