package experiment

import (
	"context"
	"slices"
	"sync"
	"time"

	"pushfleet/internal/pushdapi"
)

// Both sides are asked once a second, their recorders less often: a node may
// be busy.
const (
	lookEvery = time.Second
	rowsEvery = 5 * time.Second
	lookMax   = 3 * time.Second // for one answer
)

// side is one node of an experiment: what it said of each second.
type side struct {
	node  Node
	begin time.Time // what at of readings and rows counts from

	mu       sync.Mutex
	readings []reading
	rows     []row
	last     *pushdapi.Stats
	offset   float64 // of its clock
	until    time.Time
	heard    time.Time // the last answer
	missed   int       // questions since
	why      error
	again    bool  // it is another process than it was
	mute     error // why its recorder is not asked any more
}

func newSide(n Node, begin time.Time) *side { return &side{node: n, begin: begin} }

// follow asks until ctx ends.
func (s *side) follow(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.look(ctx)
		if n%int(rowsEvery/lookEvery) == 0 {
			s.recorded(ctx)
		}
	}
}

// look asks for one reading.
func (s *side) look(ctx context.Context) error {
	limit, stop := context.WithTimeout(ctx, lookMax)
	defer stop()
	asked := time.Now()
	st, err := s.node.Stats(limit)
	got := time.Now()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.missed++
		s.why = err
		return err
	}
	r := readingOf(st, got.Sub(s.begin).Seconds())
	if n := len(s.readings); n > 0 && r.restarted(&s.readings[n-1]) {
		s.again = true
	}
	s.missed, s.why, s.last, s.heard = 0, nil, st, got
	s.offset = offset(st, asked, got)
	s.readings = keepLate(append(s.readings, r))
	return nil
}

// keepMax is how many seconds are kept: those of the longest experiment. A tee
// without an end may last longer.
const keepMax = 2 * int(ForMax/time.Second)

// keepLate forgets the older half when that is reached. What others hold of the
// old slice stays as it is.
func keepLate[T any](all []T) []T {
	if len(all) < keepMax {
		return all
	}
	return slices.Clone(all[len(all)/2:])
}

// recorded takes what the recorder has written since it was asked last.
func (s *side) recorded(ctx context.Context) {
	s.mu.Lock()
	from, ahead, mute := s.until, time.Duration(s.offset*float64(time.Second)), s.mute
	s.mu.Unlock()
	if mute != nil {
		return
	}
	if from.IsZero() {
		from = s.begin.Add(ahead)
	}
	limit, stop := context.WithTimeout(ctx, lookMax)
	defer stop()
	to := time.Now().Add(ahead)
	got, err := rows(limit, s.node, from, to, s.clock(ahead))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && recorderOff(err):
		s.mute = err
	case err == nil && len(got) > 0:
		s.rows = keepLate(append(s.rows, got...))
		s.until = s.begin.Add(time.Duration(got[len(got)-1].at*float64(time.Second)) + ahead)
	}
}

// clock turns a node's time into seconds since the begin.
func (s *side) clock(ahead time.Duration) func(ms int64) float64 {
	begin := s.begin.Add(ahead).UnixMilli()
	return func(ms int64) float64 { return float64(ms-begin) / 1000 }
}

// history takes what the recorder has of a time before the experiment.
func (s *side) history(ctx context.Context, d time.Duration) []row {
	limit, stop := context.WithTimeout(ctx, lookMax)
	defer stop()
	s.mu.Lock()
	ahead := time.Duration(s.offset * float64(time.Second))
	s.mu.Unlock()
	to := s.begin.Add(ahead)
	got, err := rows(limit, s.node, to.Add(-d), to, s.clock(ahead))
	if err != nil && recorderOff(err) {
		s.mu.Lock()
		s.mute = err
		s.mu.Unlock()
	}
	return got
}

// state is what is known of a side now.
type state struct {
	last   *pushdapi.Stats // nil before the first answer
	heard  time.Time
	missed int
	why    error
	again  bool
	mute   error
}

func (s *side) state() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return state{s.last, s.heard, s.missed, s.why, s.again, s.mute}
}

// lately returns the rows since a moment, which are not to be changed.
func (s *side) lately(since float64) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.rows)
	for i > 0 && s.rows[i-1].at > since {
		i--
	}
	return s.rows[i:len(s.rows):len(s.rows)]
}

// all returns what was gathered, when nobody follows any more.
func (s *side) all() ([]reading, []row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readings, s.rows
}
