package experiment

import (
	"context"
	"errors"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/experiment/verdict"
)

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
	p.Read, p.Dropped = drive.Sum(c.Read), c.LeftOut()
	if s := e.production.state().last; s != nil {
		p.Total = s.Connections.Total
	}
	charge := e.charge()
	f := ofTee(charge, e.tap)
	p.CPUErr = 200 * charge.cpu.err
	p.CPURise, p.P99Rise, p.TapCPU = f["cpu.rise"], f["p99.rise"], f["tap.cpu"]
	if e.tap != nil {
		p.TapDrops = drive.Sum(e.tap.DroppedBy)
	}
	e.o.Tell(p)
}

func (e *experiment) charge() *charge {
	c := chargeOf(e.production.lately(max(e.now()-lateSeconds, e.joined)), e.before)
	return &c
}
