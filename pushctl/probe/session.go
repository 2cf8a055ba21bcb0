package probe

import (
	"context"
	"errors"
	"time"

	"github.com/cilium/ebpf"
)

// End says why a probe stopped watching.
type End string

// The ends.
const (
	EndTime        End = "time"        // it watched for as long as it should
	EndInterrupted End = "interrupted" // by whom started it
	EndExited      End = "exited"      // the process ended
	EndBudget      End = "budget"      // it cost more than --max-cpu allows
)

// Options are common to all probes.
type Options struct {
	Duration time.Duration // to watch; above zero
	Interval time.Duration // between looks at what was counted so far; 0 for none
	MaxCPU   float64       // share of one CPU, 0 to 1, above which the probe detaches; 0 for no bound
	// Began and Ending are told when the breakpoints are in place, and before
	// they are taken away from a process that lives. nil for nobody.
	Began, Ending func()
}

// Run is what every report says about the probe itself.
type Run struct {
	PID     int     `json:"pid"`
	Name    string  `json:"name"`
	Version string  `json:"go,omitempty"`
	Seconds float64 `json:"seconds"` // watched
	End     End     `json:"end"`
	Hits    uint64  `json:"hits"`     // how often the probe ran
	CostCPU float64 `json:"cost_cpu"` // share of one CPU that it took, estimated from what a hit costs here
	Lost    Lost    `json:"lost"`
}

// session is breakpoints in place and what they count.
type session struct {
	t        *Target
	o        Options
	links    links
	counters *ebpf.Map
	meter    *meter
	began    time.Time
	ended    time.Time // zero while it runs
}

// poll is how often a session looks whether it should end.
const poll = 100 * time.Millisecond

// budgetMin is how long a probe runs before its cost is judged.
const budgetMin = 500 * time.Millisecond

// run waits for the end and takes the breakpoints away. each is called every
// interval.
func (s *session) run(ctx context.Context, each func() error) (End, error) {
	if s.o.Began != nil {
		s.o.Began()
	}
	tick := time.NewTicker(min(poll, s.o.Duration))
	defer tick.Stop()
	end, err := s.wait(ctx, tick.C, each)
	if s.o.Ending != nil && end != EndExited {
		s.o.Ending()
	}
	s.ended = time.Now()
	return end, errors.Join(err, s.links.Close())
}

func (s *session) wait(ctx context.Context, tick <-chan time.Time, each func() error) (End, error) {
	next := s.began.Add(s.o.Interval)
	for {
		select {
		case <-ctx.Done():
			return EndInterrupted, nil
		case <-tick:
		}
		now := time.Now()
		switch {
		case s.t.exited():
			return EndExited, nil
		case now.Sub(s.began) >= s.o.Duration:
			return EndTime, nil
		case s.expensive(now):
			return EndBudget, nil
		}
		if s.o.Interval > 0 && each != nil && !now.Before(next) {
			next = now.Add(s.o.Interval)
			if err := each(); err != nil {
				return EndInterrupted, err
			}
		}
	}
}

func (s *session) expensive(now time.Time) bool {
	ran := now.Sub(s.began)
	if s.o.MaxCPU == 0 || ran < budgetMin {
		return false
	}
	return s.meter.spent(s.counters).Seconds() > s.o.MaxCPU*ran.Seconds()
}

// about describes the run so far.
func (s *session) about(end End) (Run, error) {
	until := s.ended
	if until.IsZero() {
		until = time.Now()
	}
	r := Run{PID: s.t.PID, Name: s.t.Name, End: end, Seconds: until.Sub(s.began).Seconds()}
	if s.t.Bin != nil {
		r.Version = s.t.Bin.Version
	}
	var err error
	if r.Hits, r.Lost, err = readCounters(s.counters); err != nil {
		return r, err
	}
	r.Lost.Missed = s.meter.missed()
	r.CostCPU = s.meter.spent(s.counters).Seconds() / r.Seconds
	return r, nil
}
