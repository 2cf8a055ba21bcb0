package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"pushfleet/internal/decay"
)

// slowest bounds what an order takes; any time up to it is as likely.
const slowest = 80 * time.Millisecond

// shop handles made-up orders, so that there is something to turn.
type shop struct {
	s     *settings
	began time.Time

	mu              sync.Mutex
	handled, failed decay.Rate
	waiting         int
}

func newShop(s *settings) *shop { return &shop{s: s, began: time.Now()} }

// run begins orders at the pace of the moment until ctx ends, and returns when
// all of them have. Each lives for no longer than two timeouts.
func (s *shop) run(ctx context.Context) {
	var orders sync.WaitGroup
	defer orders.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second / time.Duration(s.s.Pace.Get())):
			orders.Go(func() { s.order(ctx) })
		}
	}
}

// order handles one order; it reads the settings of now.
func (s *shop) order(ctx context.Context) {
	s.count(1, nil)
	done := s.try(ctx) || s.s.Retry.Get() && s.try(ctx)
	into := &s.handled
	if !done {
		into = &s.failed
	}
	s.count(-1, into)
}

// try tells whether the order was handled in time.
func (s *shop) try(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.s.Timeout.Get())
	defer cancel()
	select {
	case <-time.After(rand.N(slowest)):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *shop) count(waiting int, rate *decay.Rate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting += waiting
	if rate != nil {
		rate.Add(s.clock(), 1)
	}
}

// clock counts ms since the start.
func (s *shop) clock() uint32 { return uint32(time.Since(s.began).Milliseconds()) }

// figures are rates per second over 1 and 10 s, and what is under way.
func (s *shop) figures() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	handled, failed := s.handled.Read(s.clock()), s.failed.Read(s.clock())
	return map[string]float64{
		"handled.1s": handled[0], "handled.10s": handled[1],
		"failed.1s": failed[0], "failed.10s": failed[1],
		"waiting": float64(s.waiting),
	}
}
