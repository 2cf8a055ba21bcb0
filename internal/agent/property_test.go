package agent

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

// fleetModel is what the keepers of a made-up fleet have committed. Each revision
// gives the same number to two knobs, so that half of one would show.
type fleetModel struct {
	revision  uint64
	base      *keeperapi.Held // for good, nil for nothing
	over      *keeperapi.Held // temporary or on trial, above base
	committed map[string]commit
}

type commit struct {
	deadline time.Time // zero: for good
	guarded  bool
	refused  bool // no node can take it
}

func (f *fleetModel) below() keeperapi.Later {
	if f.base == nil {
		return byDefault
	}
	return keeperapi.Later{Value: f.base.Value, Layer: f.base.Layer, Scope: f.base.Scope}
}

// commit makes a revision of one kind.
func (f *fleetModel) commit(kind string, life time.Duration) {
	f.revision++
	h := fleet(f.revision, strconv.FormatUint(1000+f.revision, 10))
	var c commit
	switch kind {
	case "for good":
		f.base, f.over = h, nil
	case "refused":
		h.Value, c.refused = "9"+h.Value+"99", true
		f.base, f.over = h, nil
	case "away":
		f.base, f.over = nil, nil
		return
	case "temporary":
		c.deadline = time.Now().Add(life)
		f.over = until(h, keeperapi.TimeOf(c.deadline), f.below())
	case "on trial":
		c.guarded = true
		f.over = guarded(canary(f.revision, h.Value, nil), "drops.10s < 5/s", new(f.below()))
	}
	f.committed[h.Value] = c
}

// held is what the keepers would send now. What is over has been ended by a
// revision of its own.
func (f *fleetModel) held() *keeperapi.Held {
	if f.over != nil && f.over.Deadline != 0 && f.over.Deadline <= keeperapi.TimeOf(time.Now()) {
		f.over = nil
		f.revision++
	}
	if f.over != nil {
		return new(*f.over)
	}
	if f.base != nil {
		return new(*f.base)
	}
	return nil
}

// pair is one node under test.
type pair struct {
	*node
	fleet *fleetModel
	wrong string // the first property that did not hold
}

func (p *pair) fail(format string, args ...any) {
	if p.wrong == "" {
		p.wrong = fmt.Sprintf(format, args...)
	}
}

// deliver sends what is new, and checks that the node obeys.
func (p *pair) deliver() {
	h := p.fleet.held()
	from := handler{p.Agent}.Hello(false).From
	send := p.delta
	if from == 0 {
		send = p.full
	}
	k := knobs{messages: h, soft: nil}
	if h != nil {
		k[soft] = new(*h)
	}
	ack := send(p.fleet.revision, k)
	if ack.Offered != p.fleet.revision {
		p.fail("offered r%d, acknowledged %+v", p.fleet.revision, ack)
	}
	got, _ := p.registry.Get(messages)
	want := "512"
	if h != nil {
		want = h.Value
	}
	givenUp := len(p.State().Drift) > 0
	if ack.Nacked == 0 && !givenUp && got.Value != want {
		p.fail("acknowledged %+v without a word, holds %s instead of %s", ack, got.Value, want)
	}
}

// judge holds the node to the properties.
func (p *pair) judge() {
	p.pass(guardEvery)
	m, _ := p.registry.Get(messages)
	s, _ := p.registry.Get(soft)
	if m.Value == "512" && s.Value == "16" {
		return
	}
	c, known := p.fleet.committed[m.Value]
	switch {
	case m.Value != s.Value:
		p.fail("half of a revision is in force: %s and %s", m.Value, s.Value)
	case !known || c.refused:
		p.fail("%s is in force, which nobody committed or nobody can take", m.Value)
	case !c.deadline.IsZero() && time.Since(c.deadline) > 2*time.Second:
		p.fail("%s is in force %s after its deadline", m.Value, time.Since(c.deadline))
	case c.guarded && p.figures.read()["drops.10s"] >= 5:
		p.fail("%s is in force while its guard is broken", m.Value)
	}
}

// restart ends the process one way or the other and begins another.
func (p *pair) restart(end func(), up bool) {
	end()
	p.start(up)
}

// step is one thing that happens.
type step struct {
	what string
	span time.Duration
	up   bool
}

func anyStep(t *rapid.T) step {
	return step{
		what: rapid.SampledFrom([]string{"for good", "refused", "away", "temporary", "on trial", "unseen", "ask",
			"again", "time", "silence", "drops", "crash", "stop"}).Draw(t, "what"),
		span: time.Duration(rapid.IntRange(0, 40_000).Draw(t, "ms")) * time.Millisecond,
		up:   rapid.Bool().Draw(t, "up"),
	}
}

func (p *pair) do(s step) {
	switch s.what {
	case "unseen":
		p.fleet.commit("temporary", s.span)
	case "ask":
		handler{p.Agent}.Check(keeperapi.Check{Values: map[string]string{messages: "60000", soft: "59999"}})
	case "again":
		p.wire.link(true)
		p.deliver()
	case "time":
		p.pass(s.span)
	case "silence":
		p.wire.link(false)
	case "drops":
		p.figures.set("drops.10s", map[bool]float64{true: 9, false: 0}[s.up])
	case "crash":
		p.restart(p.die, s.up)
	case "stop":
		p.restart(p.node.end, s.up)
	default:
		p.fleet.commit(s.what, time.Second+s.span)
		p.wire.link(true)
		p.deliver()
	}
}

// TestNeverHoldsWhatWasNotCommitted lets updates, trials, deadlines, crashes and
// silences happen in any order.
func TestNeverHoldsWhatWasNotCommitted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(anyStep), 1, 40).Draw(rt, "steps")
		wrong := ""
		synctest.Test(t, func(t *testing.T) {
			p := &pair{node: fresh(t), fleet: &fleetModel{committed: map[string]commit{}}}
			p.start(true)
			for _, s := range steps {
				if p.do(s); p.wrong == "" {
					p.judge()
				}
			}
			p.end()
			wrong = p.wrong
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
