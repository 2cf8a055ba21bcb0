package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/report"
)

// check asks all sides, has the shadow judge what is to be tried, and puts
// back what an experiment that was killed has left. Nothing else is changed.
func (e *experiment) check(ctx context.Context) error {
	e.stage(report.Stretch{Phase: "check"})
	e.o.Tell(Progress{Stage: "check", Left: e.o.Plan.Total()})
	e.production = newSide(e.o.Production, e.begin)
	if !e.o.listens() {
		e.to = newSide(e.o.To, e.begin)
	}
	if e.o.Control != nil {
		e.control = newSide(e.o.Control, e.begin)
	}
	names := []string{"--from", "--to", "--control"}
	for i, s := range e.sides() {
		if err := s.look(ctx); err != nil {
			return fmt.Errorf("%s %s: %w", names[i], s.node.Addr(), err)
		}
	}
	if err := e.apart(); err != nil {
		return err
	}
	e.before = e.production.history(ctx, baseSeconds*time.Second)
	if mute := e.production.state().mute; mute != nil {
		e.note("production's recorder does not answer (%v): there is no telling whether its CPU or p99 rise, and no p99 in the verdict", mute)
	}
	if e.describe(); e.o.listens() {
		return nil
	}
	to := e.to.state().last
	journal := NewJournal(e.o.Journals, e.o.To.Addr(), to.Node, e.o.Production.Addr(), e.begin)
	e.knobs = &knobs{node: e.o.To, journal: journal}
	if err := e.leftovers(ctx); err != nil {
		return err
	}
	for _, set := range e.trials() {
		same, err := e.knobs.look(ctx, set)
		if err != nil {
			return err
		}
		if same && !e.o.Mirror && e.o.Control == nil {
			e.note("%s", alikeText(set))
		}
	}
	return e.knobs.begin()
}

// alikeText says that there is nothing to be found out by a trial but noise:
// allowed, because that is worth knowing, but hardly what was meant.
func alikeText(set []Setting) string {
	why := "without --set, --sweep or --control nothing is tried"
	if len(set) > 0 {
		why = "the shadow has " + trialName(set) + " already"
	}
	return why + ": A and B are alike, and what is found is the noise of this pair"
}

// apart refuses a shadow that is production, or the control.
func (e *experiment) apart() error {
	all := e.sides()
	for i, a := range all {
		for _, b := range all[i+1:] {
			if sameProcess(a.state().last, b.state().last) {
				return fmt.Errorf("%s and %s are the same node, %s: an experiment needs a node of its own to try things on", a.node.Addr(), b.node.Addr(), a.state().last.Node)
			}
		}
	}
	for _, s := range all[1:] {
		if st := s.state().last; !st.Shadow {
			if st.Connections.Total > 0 {
				return fmt.Errorf("%s (%s) has %d connections and was not started as a shadow: name a node that nobody uses, best one started with pushd --shadow", s.node.Addr(), st.Node, st.Connections.Total)
			}
			e.note("%s was not started with --shadow: see to it that real clients do not come to it", st.Node)
		}
	}
	return nil
}

// sameProcess compares by name and start: the addresses may be different ways
// to one node.
func sameProcess(a, b *pushdapi.Stats) bool {
	const slack = 500 * time.Millisecond
	up := func(s *pushdapi.Stats) time.Time {
		return s.At.Add(-time.Duration(s.UptimeSeconds * float64(time.Second)))
	}
	return a.Node == b.Node && up(a).Sub(up(b)).Abs() < slack && a.Totals.Accepted == b.Totals.Accepted
}

// Busy says whether another experiment of this machine uses a shadow, known by
// its address or its name.
func Busy(dir, addr, node string) error {
	all, _ := Journals(dir) // damaged ones are told of by who puts back
	for _, j := range all {
		if e := j.Entry(); e.of(addr, node) && e.Alive() {
			return fmt.Errorf("an experiment on %s runs already: process %d on %s, since %s; pushctl tee stop --from %s ends it",
				e.Node, e.Place.PID, e.Place.Hostname, e.Begun.Format(time.DateTime), e.From)
		}
	}
	return nil
}

func (e *Entry) of(addr, node string) bool { return e.Shadow == addr || e.Node == node }

// leftovers puts the shadow back if an experiment on it was killed.
func (e *experiment) leftovers(ctx context.Context) error {
	node := e.to.state().last.Node
	if err := Busy(e.o.Journals, e.o.To.Addr(), node); err != nil {
		return err
	}
	all, err := Journals(e.o.Journals)
	if err != nil {
		e.note("%v", err)
	}
	for _, j := range all {
		entry := j.Entry()
		if !entry.of(e.o.To.Addr(), node) {
			continue
		}
		back, err := j.PutBack(ctx, e.o.To)
		if err != nil {
			return fmt.Errorf("an experiment of %s was killed and %s could not be put back: %w", entry.Begun.Format(time.DateTime), entry.Node, err)
		}
		for _, b := range back {
			e.note("an experiment of %s was killed: %s of %s is %s again", entry.Begun.Format(time.DateTime), b.Name, entry.Node, b.Value)
		}
	}
	return nil
}

// PutBack puts a shadow back and forgets the journal.
func (j *Journal) PutBack(ctx context.Context, node Node) ([]Restored, error) {
	if len(j.entry.Knobs) == 0 {
		return nil, j.Remove()
	}
	st, err := node.Stats(ctx)
	if err != nil {
		return nil, err
	}
	if st.Node != j.entry.Node {
		return nil, errors.New("another node, " + st.Node + ", answers at " + j.entry.Shadow + " now")
	}
	out, err := putBack(ctx, node, j.entry.Knobs)
	if err != nil {
		return out, err
	}
	return out, j.Remove()
}
