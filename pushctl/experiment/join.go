package experiment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushfleet/internal/teewire"
)

// mirror opens the stream and has it driven.
func (e *experiment) mirror(inner context.Context) error {
	body, err := e.o.Production.Tee(inner, e.o.Query)
	if err != nil {
		return fmt.Errorf("mirror %s: %w", e.o.Production.Addr(), err)
	}
	e.beside.Go(func() { // closes the stream when inner ends, which ends the drivers
		<-inner.Done()
		body.Close()
	})
	e.tee = body.ID
	if e.knobs != nil {
		if err := e.knobs.journal.Teed(body.ID); err != nil {
			e.note("which tee this is could not be noted, so that pushctl tee stop ends whichever reads %s: %v", e.o.Production.Addr(), err)
		}
	}
	streams := []teewire.Batches{teewire.NewStream(body)}
	if k, ok := e.o.To.Driver.(*Keeper); ok {
		streams[0] = k.Through(streams[0])
	}
	if e.o.Control != nil {
		f := newFan(streams[0], 2)
		e.beside.Go(func() { f.run(inner) }) // ends with the stream
		streams = []teewire.Batches{f.branch(0), f.branch(1)}
	}
	e.driving = len(streams)
	for i, s := range e.shadows() {
		e.beside.Go(func() { e.ended <- s.Run(inner, teewire.NewReader(streams[i])) }) // ends with its stream
	}
	return nil
}

// Joining may take so long, and longer with many connections.
const (
	joinLeast   = 30 * time.Second
	joinPerConn = 2 * time.Millisecond
	joinedShare = 0.98 // of what is mirrored, that a shadow must hold or have refused
	joinedFew   = 2    // that may lack beyond it, of ten times as many: polls come and go
)

// join waits until the shadow holds what was open.
func (e *experiment) join(ctx context.Context) error {
	begun := time.Now()
	limit := joinLeast
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := e.watch(ctx, tick.C); err != nil {
			return err
		}
		if e.lookAtTap(ctx) {
			limit = joinLeast + time.Duration(e.tap.Connections)*joinPerConn
		}
		since := time.Since(begun)
		if e.hasJoined() {
			break
		}
		if since > limit {
			return e.notJoined(since)
		}
		e.tell("join", 0, "", since, 0, e.o.Plan.Total())
	}
	c := e.o.To.Counts()
	switch {
	case c.Open > 0 || c.Failed > 0:
	case e.tapConns() > 0:
		return e.lacking("to", &e.o.To, time.Since(begun))
	default:
		return e.nothingIn()
	}
	e.tell("join", 0, "", time.Since(begun), time.Since(begun), e.o.Plan.Total())
	return nil
}

func (e *experiment) hasJoined() bool {
	if e.tap == nil || !e.tap.Active || e.tap.Joining {
		return false
	}
	return !slices.ContainsFunc(e.shadows(), e.lacks)
}

// lacks tells whether connections are still to come to a shadow. Those that it
// refused or its driver has torn do not; what the tap has torn it counts no more.
func (e *experiment) lacks(s *Shadow) bool {
	c, all := s.Counts(), float64(e.tap.Connections)
	settled := float64(c.Open) + float64(c.Failed) + max(float64(c.Torn)-float64(e.tap.Torn), 0)
	return all-settled > max((1-joinedShare)*all, min(joinedFew, all/10))
}

func (e *experiment) notJoined(since time.Duration) error {
	if e.tap == nil || !e.tap.Active || e.tap.Joining {
		return &stop{reason: StopProduction, detail: fmt.Sprintf("after %s %s still has connections to tell of: is it overloaded?", short(since), e.o.Production.Addr())}
	}
	if e.o.Control != nil && !e.lacks(&e.o.To) {
		return e.lacking("control", e.o.Control, since)
	}
	return e.lacking("to", &e.o.To, since)
}

// lacking is for a shadow that holds too little; side is the word of its flag.
func (e *experiment) lacking(side string, s *Shadow, since time.Duration) error {
	c := s.Counts()
	return &stop{reason: StopShadow, detail: fmt.Sprintf("after %s %s (%s) holds %d of %d mirrored connections, %d refused and %d torn: "+
		"is its client listener reachable from here, does its conns.max allow them, and is this machine fast enough?", short(since), shadowName(s), side, c.Open, e.tapConns(), c.Failed, c.Torn)}
}

// shadowName is its address, or that it only listens.
func shadowName(s *Shadow) string {
	if s.Node == nil {
		return "the listener"
	}
	return s.Node.Addr()
}

func (e *experiment) tapConns() int64 {
	if e.tap == nil {
		return 0
	}
	return e.tap.Connections
}

func (e *experiment) nothingIn() error {
	total := int64(0)
	if s := e.production.state().last; s != nil {
		total = s.Connections.Total
	}
	if total == 0 {
		return &stop{reason: StopProduction, detail: "production has no connections: there is nothing to mirror"}
	}
	return &stop{reason: StopProduction, detail: fmt.Sprintf("none of the %d connections of production is in a sample of %g %% of users: take a larger --sample", total, e.o.Query.Sample)}
}
