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
	EndBudget      End = "budget"      // it cost more than MaxCPU allows, so much that no pause in its time could make up for it
)

// Options are common to all probes.
type Options struct {
	Duration time.Duration // to watch; above zero
	Interval time.Duration // between looks at what was counted so far; 0 for none
	MaxCPU   float64       // share of one CPU, 0 to 1, above which the probe pauses or detaches; 0 for no bound
	// Began and Ending are told when the breakpoints are in place, and before
	// they are taken away from a process that lives. nil for nobody.
	Began, Ending func()

	spent func(watched time.Duration) time.Duration // in tests what it cost
}

// Run is what every report says about the probe itself.
type Run struct {
	PID     int     `json:"pid"`
	Name    string  `json:"name"`
	Version string  `json:"go,omitempty"`
	Seconds float64 `json:"seconds"` // from begin to end
	End     End     `json:"end"`
	Hits    uint64  `json:"hits"`     // how often the probe ran
	CostCPU float64 `json:"cost_cpu"` // share of one CPU that it took, estimated from what a hit costs here
	MaxCPU  float64 `json:"max_cpu"`  // that it might take; 0 for no bound
	// Watched is less than Seconds if the probe paused to stay within MaxCPU.
	// What it counted is what it saw: nothing is scaled.
	Watched float64 `json:"watched_seconds"`
	Parts   int     `json:"parts"` // in which it watched
	Lost    Lost    `json:"lost"`
}

// Watching is the share of a processor that the probe took while it watched.
func (r *Run) Watching() float64 { return r.CostCPU * r.Seconds / max(r.Watched, 1e-9) }

// session is breakpoints in place and what they count.
type session struct {
	t        *Target
	o        Options
	links    links
	counters *ebpf.Map
	meter    *meter
	began    time.Time
	ended    time.Time // zero while it runs

	// For probes that may pause: place puts the breakpoints there once more,
	// forget drops what has begun and whose end would not be seen, and returns
	// how much. nil for probes that detach instead.
	place  func() (links, error)
	forget func() (uint64, error)
	pauses pauses
}

// poll is how often a session looks whether it should end.
const poll = 100 * time.Millisecond

// budgetMin is how long a probe watches, each time, before its cost is judged.
const budgetMin = 500 * time.Millisecond

// run waits for the end and takes the breakpoints away. each is called every
// interval.
func (s *session) run(ctx context.Context, each func() error) (End, error) {
	if s.o.Began != nil {
		s.o.Began()
	}
	s.pauses.since, s.pauses.parts = s.began, 1
	tick := time.NewTicker(min(poll, s.o.Duration))
	defer tick.Stop()
	end, err := s.wait(ctx, tick.C, each)
	if s.o.Ending != nil && end != EndExited {
		s.o.Ending()
	}
	s.ended = time.Now()
	s.pauses.stop(s.ended)
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
		}
		if end, err := s.budget(now); end != "" || err != nil {
			return end, err
		}
		if s.o.Interval > 0 && each != nil && !now.Before(next) {
			next = now.Add(s.o.Interval)
			if err := each(); err != nil {
				return EndInterrupted, err
			}
		}
	}
}

// about describes the run so far.
func (s *session) about(end End) (Run, error) {
	until := s.ended
	if until.IsZero() {
		until = time.Now()
	}
	r := Run{PID: s.t.PID, Name: s.t.Name, End: end, Seconds: until.Sub(s.began).Seconds(), MaxCPU: s.o.MaxCPU,
		Watched: s.pauses.watched(until).Seconds(), Parts: s.pauses.parts}
	if s.t.Bin != nil {
		r.Version = s.t.Bin.Version
	}
	var err error
	if r.Hits, r.Lost, err = readCounters(s.counters); err != nil {
		return r, err
	}
	r.Lost.Missed, r.Lost.Cut = s.meter.missed(), s.pauses.cut
	r.CostCPU = s.spent(until).Seconds() / r.Seconds
	return r, nil
}
