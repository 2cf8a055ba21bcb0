package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
)

// silentMax is how long a node may be without an answer, to two questions at
// least: on a busy machine one takes seconds.
const silentMax = 10 * time.Second

// watch waits for the next look and says what ends the experiment, as a *stop,
// or ctx's error.
func (e *experiment) watch(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-e.ended:
		e.driving--
		return e.streamEnded(err)
	case <-tick:
	}
	if err := e.alive(); err != nil {
		return err
	}
	if e.joined == 0 {
		return nil
	}
	e.askTap(ctx)
	if err := e.keepsUp(); err != nil {
		return err
	}
	if err := e.harmless(); err != nil {
		return err
	}
	return e.conditions()
}

// askTap asks what the tap does, not at every look.
func (e *experiment) askTap(ctx context.Context) {
	e.strikes["tap"]++
	if e.strikes["tap"]%int(rowsEvery/lookEvery) != 1 {
		return
	}
	limit, stop := context.WithTimeout(ctx, lookMax)
	defer stop()
	if e.lookAtTap(limit) && e.tap.Active && e.tap.Sample < e.tap.Asked {
		e.note("production mirrors %g %% of its users instead of %g %%: its tap has a smaller allowance", e.tap.Sample, e.tap.Asked)
	}
}

// lookAtTap takes the books of this tee, and reports whether there are any: of
// another's, that has begun since ours has ended, nothing is to be learnt.
func (e *experiment) lookAtTap(ctx context.Context) bool {
	tap, err := e.o.Production.Tap(ctx)
	if err != nil || tap.ID != e.tee {
		return false
	}
	e.tap = tap
	return true
}

// alive tells of nodes that do not answer, or not as they did.
func (e *experiment) alive() error {
	for i, s := range e.sides() {
		reason := StopShadow
		if i == 0 {
			reason = StopProduction
		}
		if err := s.alive(reason); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) alive(reason string) error {
	st := s.state()
	switch silent := time.Since(st.heard); {
	case st.missed >= 2 && silent >= silentMax:
		return &stop{reason: reason, detail: fmt.Sprintf("%s has not answered for %.0f s: %v", s.node.Addr(), silent.Seconds(), st.why), err: st.why}
	case st.again:
		return &stop{reason: reason, detail: fmt.Sprintf("%s was started again meanwhile", s.node.Addr())}
	}
	return nil
}

// streamEnded says why there is no more traffic.
func (e *experiment) streamEnded(err error) error {
	if errors.Is(err, teewire.ErrFull) {
		return &stop{reason: StopDisk, detail: err.Error(), err: err}
	}
	for _, s := range e.shadows() {
		if end := s.Counts().End; end.Reason != "" {
			return &stop{reason: StopStream, detail: fmt.Sprintf("production has ended the tee (%s): %s", end.Reason, end.Detail), err: err}
		}
	}
	if err == nil {
		return &stop{reason: StopStream, detail: "the stream from production has ended without a word"}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &stop{reason: StopStream, detail: fmt.Sprintf("production hung up: it has ended or was killed, or the way to %s is cut (%v)", e.o.Production.Addr(), err), err: err}
	}
	return &stop{reason: StopStream, detail: err.Error(), err: err}
}

// driven is what a driver had read at a look, and had dropped because this
// machine is too slow.
type driven struct{ read, missed uint64 }

// Driving is too slow when more than slowShare is dropped for that over
// slowLooks looks.
const (
	slowShare = 0.01
	slowLooks = 10
)

// keepsUp tells whether the drivers do.
func (e *experiment) keepsUp() error {
	now := driven{}
	for _, s := range e.shadows() {
		c := s.Counts()
		now.read += drive.Sum(c.Read)
		now.missed += dropsFor(&c, drive.DropLate, drive.DropFull)
	}
	e.driven = append(e.driven, now)
	if len(e.driven) > slowLooks+1 {
		e.driven = e.driven[1:]
	}
	if len(e.driven) <= slowLooks || e.allows(StopDriver) {
		return nil
	}
	read, missed := now.read-e.driven[0].read, now.missed-e.driven[0].missed
	if float64(missed) <= slowShare*float64(read) {
		return nil
	}
	return &stop{reason: StopDriver, detail: fmt.Sprintf("this machine cannot keep up: of the last %d records %d were too late or too many to be replayed; take a smaller --sample or --amplify, or run pushctl on a machine that has less to do", read, missed)}
}

func dropsFor(c *drive.Counts, why ...string) (n uint64) {
	for _, by := range c.Dropped {
		for _, w := range why {
			n += by[w]
		}
	}
	return n
}

// harmless tells whether production fares as before.
func (e *experiment) harmless() error {
	c := e.charge()
	reason, detail := c.harm()
	for _, r := range []string{StopCPU, StopP99, StopDrops} {
		if r != reason {
			e.strikes[r] = 0
		}
	}
	if reason == "" || e.allows(reason) {
		return nil
	}
	// Rows come less often than looks; each set of them counts once.
	if e.strikes[reason]++; e.strikes[reason] < sustained*int(rowsEvery/lookEvery) {
		return nil
	}
	return &stop{reason: reason, detail: detail}
}

// conditions looks at what --stop-if says.
func (e *experiment) conditions() error {
	if len(e.o.StopIf) == 0 {
		return nil
	}
	f := e.figures()
	for _, c := range e.o.StopIf {
		if c.True(f) {
			return &stop{reason: StopCondition, detail: "it is so: " + c.String() + " (" + c.Eval(f).Figures + ")"}
		}
	}
	return nil
}

func (e *experiment) figures() map[string]float64 {
	f := ofTee(e.charge(), e.tap)
	since := e.now() - 2*blockSeconds
	if s := e.production.state().last; s != nil {
		maps.Copy(f, figuresOf(s, e.production.lately(since)))
	}
	if e.to == nil {
		return f
	}
	if s := e.to.state().last; s != nil {
		for name, v := range figuresOf(s, e.to.lately(since)) {
			f[shadowPrefix+name] = v
		}
	}
	return f
}
