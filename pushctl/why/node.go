package why

import (
	"fmt"

	"pushfleet/pushctl/table"
)

// node judges the node. others is the strongest of the other candidates: what
// waits far longer than the node was ever late waits for them.
func (f *facts) node(others float64) Candidate {
	buffer, held := ramp(f.s.SndbufLimited, 0.3, 0.8), f.heldHere()*(1-0.7*others)
	late := f.late()
	if waited := f.w.Queue.OldestSeconds; waited > 5*f.w.Loop.Late.P99 {
		late *= 1 - 0.7*others
	}
	c := Candidate{Kind: Node, Score: max(late, buffer, held), Evidence: f.nodeEvidence()}
	switch {
	case c.Score == 0:
	case c.Score == buffer:
		c.Cause = Buffer
	case c.Score == late:
		c.Cause = f.lateBecause()
	default:
		c.Cause = Held
	}
	return c
}

// heldHere: messages wait here while the socket is empty and has been idle.
func (f *facts) heldHere() float64 {
	if !f.socket || f.s.Unsent > 0 || f.s.Busy > 0.1 {
		return 0
	}
	return ramp(f.w.Queue.OldestSeconds, 0.1, 0.6)
}

// reasonLeast is the score from which a reason of lateness is named.
const reasonLeast = 0.25

// lateBecause names the strongest reason for a late loop.
func (f *facts) lateBecause() string {
	best, cause := reasonLeast, Late
	for _, r := range []struct {
		cause string
		score float64
	}{{LockWait, f.locks()}, {Collector, f.collector()}, {CPU, f.starved()}, {Broadcast, f.broadcast()}, {Turns, f.turns()}} {
		if r.score > best {
			best, cause = r.score, r.cause
		}
	}
	return cause
}

// locks: loops waited for locks. Without a probe the runtime says only how long
// all goroutines waited, its own locks included, which a busy collector makes
// them do.
func (f *facts) locks() float64 {
	all := 0.9 * ramp(f.w.Process.LockWaitSeconds/f.over, 0.1, 1) * (1 - 0.8*f.gcShare())
	if l := f.e.Locks; l != nil && l.Seconds > 0 {
		return max(ramp(l.Loops/l.Seconds, 0.03, 0.3), all/2)
	}
	return all
}

// collector: much of what the process computed was garbage collection, or it
// stopped for long, which it also does when it has no processor to go on.
func (f *facts) collector() float64 {
	return max(f.gcShare(), ramp(f.pauseMax(), 0.03, 0.15)*(1-f.queued()))
}

// gcShare: a collector that runs all the time is given a quarter of the
// processors, and takes more only from those who allocate. A few cycles that
// lasted long did not run all the time, they had no processor.
func (f *facts) gcShare() float64 {
	p := &f.w.Process
	return ramp(p.GCShare, 0.06, 0.2) * ramp(float64(p.GCCycles)/f.over, 0.3, 1.5)
}

func (f *facts) pauseMax() float64 {
	if f.e.GC != nil {
		return max(f.e.GC.PauseMax, f.w.Process.GCPauseMax)
	}
	return f.w.Process.GCPauseMax
}

// starved: threads were ready and had no processor, and not because the
// collector had them all.
func (f *facts) starved() float64 {
	return max(f.queued()*(1-0.8*f.gcShare()), ramp(f.w.Process.ThrottledSeconds/f.over, 0.05, 0.3))
}

// queued: threads waited in the run queue, for much longer than they ran.
func (f *facts) queued() float64 {
	p := &f.w.Process
	waited := max(p.RunQueueSeconds, f.schedTotal())
	return ramp(waited/max(waited+p.CPUSeconds, 0.05), 0.3, 0.7) * ramp(waited/f.over, 0.1, 0.5)
}

func (f *facts) schedTotal() float64 {
	if s := f.e.Sched; s != nil && s.Seconds > 0 {
		return s.Total * f.over / s.Seconds
	}
	return 0
}

// turns: the loop's own turns were long, and not because it had to wait in
// them.
func (f *facts) turns() float64 {
	l := &f.w.Loop
	return max(ramp(l.Turn.P99, 0.005, 0.05), ramp(l.TurnSeconds/f.over, 0.5, 0.95)) * (1 - 0.8*max(f.locks(), f.collector(), f.starved()))
}

func (f *facts) broadcast() float64 { return f.turns() * ramp(f.w.Loop.Walking, 0.1, 0.5) * 1.05 }

// nodeEvidence lists what the node did, first how late it was.
func (f *facts) nodeEvidence() []string {
	l, p := &f.w.Loop, &f.w.Process
	out := []string{fmt.Sprintf("took work up within %s on average, p99 %s; turns p99 %s", table.Seconds(l.LateMean),
		table.Seconds(l.Late.P99), table.Seconds(l.Turn.P99))}
	add := func(ok bool, format string, args ...any) {
		if ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(l.Walking >= 0.1, "broadcasts or group sends under way %s of the time", share(l.Walking))
	add(f.s.SndbufLimited >= 0.1, "send buffer full %s of the time", share(f.s.SndbufLimited))
	out = append(out, f.lockEvidence()...)
	add(p.GCCycles > 0, "collector: %s, %s of its CPU, %s by helpers, longest stop %s", table.Plural(int64(p.GCCycles), "cycle"),
		share(p.GCShare), share(p.GCAssist), table.Seconds(f.pauseMax()))
	add(p.CPUSeconds > 0, "its threads ran %s and waited %s for a processor%s", table.Seconds(p.CPUSeconds),
		table.Seconds(max(p.RunQueueSeconds, f.schedTotal())), f.schedText())
	add(p.ThrottledSeconds > 0, "kept from running for %s by its CPU limit", table.Seconds(p.ThrottledSeconds))
	return out
}

func (f *facts) schedText() string {
	if s := f.e.Sched; s != nil && s.Waits > 0 {
		return fmt.Sprintf(", p99 %s", table.Seconds(s.P99))
	}
	return ""
}

// locksShown is how many lines that wait for locks are told of, lockLeast the
// share of the time that one must have waited.
const (
	locksShown = 3
	lockLeast  = 0.01
)

func (f *facts) lockEvidence() (out []string) {
	if f.e.Locks == nil {
		if s := f.w.Process.LockWaitSeconds; s/f.over >= lockLeast {
			out = append(out, fmt.Sprintf("goroutines waited %s for locks, all together", table.Seconds(s)))
		}
		return out
	}
	for _, s := range f.e.Locks.Sites {
		if s.Total < lockLeast*f.over || len(out) == locksShown {
			continue
		}
		who := "loops"
		if !s.OnLoop {
			who = "others"
		}
		out = append(out, fmt.Sprintf("%s waited %s for a lock in %s%s, %s× p99 %s", who, table.Seconds(s.Total), s.Func, at(s.Place),
			table.Count(s.Count), table.Seconds(s.P99)))
	}
	return out
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}
