package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"pushfleet/internal/guard"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/experiment/verdict"
)

// Options say what to try. Production and To are required; without a Node To is
// a driver that only listens.
type Options struct {
	Production Production
	To         Shadow
	Control    *Shadow // fed with the same at the same time, and left as it is
	Query      pushdapi.TeeQuery
	Plan       Plan
	Set        []Setting     // tried together
	Sweep      []Setting     // each by itself, on top of Set; none: one trial
	StopIf     []*guard.Expr // conditions of StopNames that end it when they hold
	Allow      []string      // words of Allowable that do not end it
	Journals   string        // folder for what a killed experiment leaves behind
	Alpha      float64       // of false alarms over everything; 0 is verdict.DefaultAlpha
	Tell       func(Progress)
	Mirror     bool // no arms and no verdict: until ctx ends, or for Plan.AB if that is set
}

// listens tells whether there is no shadow.
func (o *Options) listens() bool { return o.To.Node == nil }

// Progress is how far an experiment is.
type Progress struct {
	Stage    string        // check, join, aa, ab, mirror, restore
	Arm      verdict.Arm   // aa and ab
	Trial    string        // what is tried, in words
	Since    time.Duration // in this stage
	Of       time.Duration // that the stage takes; 0: not known
	Left     time.Duration // of all
	Open     int64         // connections that the shadow holds
	Total    int64         // that production has
	Joined   uint64
	Torn     uint64
	Read     uint64 // records
	Dropped  uint64 // of them, not replayed
	Late     float64
	CPURise  float64 // of production, percent; not a number when not known
	CPUErr   float64 // twice its standard error
	P99Rise  float64
	TapCPU   float64
	TapDrops uint64
	Note     string // a line for people, beside the rest
}

// stop is why an experiment ends before its time.
type stop struct {
	reason, detail string
	err            error // of what began it, if that was an error
}

func (s *stop) Error() string { return s.detail }

// Unwrap gives the error behind it.
func (s *stop) Unwrap() error { return s.err }

// experiment is one under way. One goroutine runs it; others fill its sides.
type experiment struct {
	o     Options
	begin time.Time
	arms  time.Time // when the slots began
	slots []Slot
	r     *report.Report

	production, to, control *side
	knobs                   *knobs
	before                  []row // of production
	joined                  float64
	end                     context.CancelCauseFunc // of what runs beside
	beside                  sync.WaitGroup
	ended                   chan error // one for each driver
	driving                 int        // of them, that have not ended

	tee     string // its id, "" before it has begun, or of a node that gives none
	tap     *pushdapi.Tap
	strikes map[string]int // looks in a row that found a condition
	driven  []driven       // of late
}

// Run makes an experiment and reports. An error says that it could not begin;
// what ends it later stands in the report. Shadows are as they were when it
// returns, or the report says what is not.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	if o.Tell == nil {
		o.Tell = func(Progress) {}
	}
	e := &experiment{o: o, begin: time.Now(), ended: make(chan error, 2), strikes: map[string]int{}}
	e.r = e.newReport()
	// What runs beside outlasts ctx: who interrupts wants an orderly end.
	inner, end := context.WithCancelCause(context.WithoutCancel(ctx))
	e.end = end
	defer e.beside.Wait()
	defer end(nil)
	if err := e.check(ctx); err != nil {
		return nil, err
	}
	err := e.work(ctx, inner)
	e.restore(ctx)
	e.close(ctx)
	var s *stop
	switch {
	case err == nil:
	case ctx.Err() != nil:
		e.r.Stopped = e.stopped(&stop{reason: StopInterrupted, detail: "who ran it ended it"})
	case errors.As(err, &s):
		e.r.Stopped = e.stopped(s)
	default:
		return nil, err
	}
	e.finish()
	return e.r, nil
}

func (e *experiment) stopped(s *stop) *report.Stop {
	return &report.Stop{Reason: s.reason, Detail: s.detail, At: e.now()}
}

// now is seconds since the begin.
func (e *experiment) now() float64 { return time.Since(e.begin).Seconds() }

// stage notes a stretch of the report, until the next.
func (e *experiment) stage(s report.Stretch) {
	s.From = e.now()
	e.endStage()
	e.r.Stretches = append(e.r.Stretches, s)
}

func (e *experiment) endStage() {
	if n := len(e.r.Stretches); n > 0 && e.r.Stretches[n-1].To == 0 {
		e.r.Stretches[n-1].To = e.now()
	}
}

// note adds a sentence to the report and tells it at once.
func (e *experiment) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(e.r.Notes, text) {
		e.r.Notes = append(e.r.Notes, text)
		e.o.Tell(Progress{Note: text})
	}
}

// sides are all of them, production first.
func (e *experiment) sides() []*side {
	out := []*side{e.production}
	for _, s := range []*side{e.to, e.control} {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// shadows are what is driven.
func (e *experiment) shadows() []*Shadow {
	if e.o.Control == nil {
		return []*Shadow{&e.o.To}
	}
	return []*Shadow{&e.o.To, e.o.Control}
}

// trials are the settings of each treatment.
func (e *experiment) trials() [][]Setting {
	if len(e.o.Sweep) == 0 {
		return [][]Setting{e.o.Set}
	}
	var out [][]Setting
	for _, s := range e.o.Sweep {
		out = append(out, append(slices.Clone(e.o.Set), s))
	}
	return out
}

// work mirrors and takes turns. Its error is a *stop when something ended it.
func (e *experiment) work(ctx, inner context.Context) error {
	e.stage(report.Stretch{Phase: "join"})
	if err := e.mirror(inner); err != nil {
		return err
	}
	for _, s := range e.sides() {
		e.beside.Go(func() { s.follow(inner) }) // ends with inner
	}
	if err := e.join(ctx); err != nil {
		return err
	}
	e.joined = e.now()
	if e.o.Mirror {
		return e.hold(ctx)
	}
	err := e.turns(ctx)
	e.slots = cut(e.slots, time.Since(e.arms))
	return err
}

// cut leaves the slots that have been, as far as they went.
func cut(slots []Slot, end time.Duration) (out []Slot) {
	for _, s := range slots {
		if s.From < end {
			s.To = min(s.To, end)
			out = append(out, s)
		}
	}
	return out
}

// restore puts the shadow back, whatever happened.
func (e *experiment) restore(ctx context.Context) {
	e.stage(report.Stretch{Phase: "restore"})
	e.o.Tell(Progress{Stage: "restore"})
	if e.knobs == nil {
		return
	}
	back, err := e.knobs.back(ctx)
	for _, b := range back {
		k := report.Knob{Name: b.Name, Value: b.Value, Failed: b.Note}
		if i := slices.IndexFunc(e.knobs.kept, func(k Kept) bool { return k.Name == b.Name }); i >= 0 {
			k.Before = e.knobs.kept[i].Value
		}
		e.r.Restored = append(e.r.Restored, k)
	}
	if err != nil {
		e.note("%v", err)
	}
}

// closeWithin bounds what is asked at the end.
const closeWithin = 10 * time.Second

// close takes what is still to be had and ends what runs beside.
func (e *experiment) close(ctx context.Context) {
	last, done := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer done()
	e.lookAtTap(last)
	var wg sync.WaitGroup
	for _, s := range e.sides() {
		wg.Go(func() {
			s.look(last)
			s.recorded(last)
		})
	}
	wg.Wait()
	e.endTee(last)
	e.end(nil)
	e.beside.Wait()
	e.endStage()
}

// endTeeWithin is how long the last records may take to be replayed.
const endTeeWithin = 3 * time.Second

// endTee has production end the stream, so that what is under way arrives and
// the books close. A tee without a name is ended by leaving it: whoever reads
// by now may be another.
func (e *experiment) endTee(ctx context.Context) {
	if e.driving < len(e.shadows()) || e.tee == "" || e.o.Production.StopTeeID(ctx, e.tee) != nil {
		return
	}
	late := time.NewTimer(endTeeWithin)
	defer late.Stop()
	for e.driving > 0 {
		select {
		case <-e.ended:
			e.driving--
		case <-late.C:
			return
		}
	}
}
