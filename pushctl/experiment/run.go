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
	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
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
		if tap, err := e.o.Production.Tap(ctx); err == nil {
			e.tap = tap
			limit = joinLeast + time.Duration(tap.Connections)*joinPerConn
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

// hold mirrors until it is ended.
func (e *experiment) hold(ctx context.Context) error {
	e.stage(report.Stretch{Phase: "mirror"})
	begun, tick := time.Now(), time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := e.watch(ctx, tick.C); err != nil {
			return err
		}
		since := time.Since(begun)
		if e.o.Plan.AB > 0 && since >= e.o.Plan.AB {
			return nil
		}
		e.tell("mirror", 0, "", since, e.o.Plan.AB, e.o.Plan.AB-since)
	}
}

// turns goes through the slots.
func (e *experiment) turns(ctx context.Context) error {
	e.slots = e.o.Plan.Slots()
	e.arms = time.Now()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	trials := e.trials()
	for _, s := range e.slots {
		var set []Setting
		if s.Phase == verdict.PhaseAB && s.Arm == verdict.Treatment {
			set = trials[s.Trial]
		}
		if err := e.switchTo(ctx, tick.C, s, set); err != nil {
			return err
		}
		for time.Since(e.arms) < s.To {
			if err := e.watch(ctx, tick.C); err != nil {
				return err
			}
			e.tellSlot(s)
		}
	}
	return nil
}

// switchTo begins a slot. A shadow that does not answer is asked again, until
// it counts as dead; what goes by meanwhile is no part of the slot.
func (e *experiment) switchTo(ctx context.Context, tick <-chan time.Time, s Slot, set []Setting) error {
	from := e.now()
	for {
		err := e.knobs.set(ctx, set)
		if err == nil {
			break
		}
		if _, refused := errors.AsType[*pushdapi.Error](err); refused {
			return &stop{reason: StopShadow, detail: err.Error(), err: err}
		}
		if err := e.watch(ctx, tick); err != nil {
			return err
		}
	}
	if lost := e.now() - from; lost > lookEvery.Seconds() {
		e.r.Excluded = append(e.r.Excluded, verdict.Span{From: from, To: e.now(), Why: "the shadow was slow to take its knobs"})
	}
	e.stage(e.stretch(s))
	return nil
}

func (e *experiment) stretch(s Slot) report.Stretch {
	out := report.Stretch{Phase: "aa", Arm: "A", Trial: s.Trial}
	if s.Phase == verdict.PhaseAB {
		out.Phase = "ab"
		if s.Arm == verdict.Treatment {
			out.Arm = "B"
		}
	}
	return out
}

func (e *experiment) tellSlot(s Slot) {
	since, of := time.Since(e.arms), e.o.Plan.AA
	stage := "aa"
	if s.Phase == verdict.PhaseAB {
		stage, since, of = "ab", since-e.o.Plan.AA, e.o.Plan.AB
	}
	e.tell(stage, s.Arm, trialName(e.trials()[s.Trial]), min(since, of), of, e.o.Plan.Total()-time.Since(e.arms))
}

// tell says how far things are.
func (e *experiment) tell(stage string, arm verdict.Arm, trial string, since, of, left time.Duration) {
	c := e.o.To.Counts()
	p := Progress{Stage: stage, Arm: arm, Trial: trial, Since: since, Of: of, Left: max(left, 0),
		Open: c.Open, Joined: c.Joined, Torn: c.Torn, Late: c.LateP99}
	p.Read, p.Dropped = sumOf(c.Read), droppedOf(&c)
	if s := e.production.state().last; s != nil {
		p.Total = s.Connections.Total
	}
	charge := e.charge()
	f := ofTee(charge, e.tap)
	p.CPUErr = 200 * charge.cpu.err
	p.CPURise, p.P99Rise, p.TapCPU = f["cpu.rise"], f["p99.rise"], f["tap.cpu"]
	if e.tap != nil {
		p.TapDrops = sumOf(e.tap.DroppedBy)
	}
	e.o.Tell(p)
}

func (e *experiment) charge() *charge {
	c := chargeOf(e.production.lately(max(e.now()-lateSeconds, e.joined)), e.before)
	return &c
}

func sumOf(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func droppedOf(c *drive.Counts) (n uint64) {
	for _, by := range c.Dropped {
		n += sumOf(by)
	}
	return n
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
	if tap, err := e.o.Production.Tap(last); err == nil {
		e.tap = tap
	}
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
// the books close; unless it has ended it already: the next tee is another's.
func (e *experiment) endTee(ctx context.Context) {
	if e.driving < len(e.shadows()) || e.o.Production.StopTee(ctx) != nil {
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
