package table

import (
	"fmt"

	"pushfleet/internal/pushdapi"
)

// soon is how far ahead, in seconds, a limit that will be hit is worth a line.
const soon = 300

// Advice says what to do next, the most urgent first, or nothing when all is
// well. drain is top by drain of the same nodes; it may be nil.
func Advice(s *pushdapi.Stats, drain []TopRow) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if n := len(s.SilentLoop); n > 0 {
		add("%s did not answer, its figures are missing: pushctl pprof goroutine", Plural(int64(n), "loop"))
	}
	if n, at := willCap(drain); n > 0 {
		will, first := "will hit its limit in ", ""
		if n > 1 {
			will, first = "will hit their limit", ", the first in "
		}
		add("%s %s%s%s: pushctl top --by drain", Plural(int64(n), "connection"), will, first, Seconds(round(at)))
	}
	if n := s.Queued.OverHard; n > 0 {
		is := "is at its limit"
		if n > 1 {
			is = "are at their limit"
		}
		add("%s %s: pushctl top --by queued", Plural(n, "connection"), is)
	}
	if len(lines) == 0 && s.Dropped.S10 >= 0.05 {
		add("messages are dropped, %s: pushctl top --by drops", Rate(s.Dropped.S10))
	}
	if c := &s.Connections; c.Max > 0 && c.Total*10 > c.Max*9 {
		add("%s of %s connections are open: pushctl knob list conns", Count(c.Total), Count(c.Max))
	}
	if p := &s.Process; p.FDMax > 0 && p.FDs*10 > p.FDMax*9 {
		add("%s of %s fds are used: raise LimitNOFILE in the unit", Count(p.FDs), Count(p.FDMax))
	}
	if s.Process.SchedP99 > 0.1 {
		add("goroutines wait %s for a core: pushctl pprof profile", Seconds(s.Process.SchedP99))
	}
	return lines[:min(2, len(lines))]
}

// willCap counts the growing queues that hit their limit soon, and the time to
// the first.
func willCap(rows []TopRow) (n int, at float64) {
	for _, r := range rows {
		if d := r.Drain; d.State == "growing" && d.CapSeconds > 0 && d.CapSeconds <= soon {
			if n++; n == 1 || d.CapSeconds < at {
				at = d.CapSeconds
			}
		}
	}
	return n, at
}

// round leaves an estimate the precision it has: whole seconds above one.
func round(s float64) float64 {
	if s < 1 {
		return s
	}
	return float64(int64(s + 0.5))
}
