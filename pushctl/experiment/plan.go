package experiment

import (
	"fmt"
	"time"

	"pushfleet/pushctl/experiment/verdict"
)

// Plan is when a shadow runs with what. The A/A phase comes first: arms take
// turns although both are alike, which shows what this pair of machines calls
// a difference.
type Plan struct {
	AA     time.Duration
	AB     time.Duration
	Window time.Duration // that an arm lasts
	Settle time.Duration // behind a switch, not counted
	Tries  int           // treatments: 1, or the values of a sweep
	// Beside is a plan with a second shadow as control: nothing takes turns,
	// the treatment lasts all of AB. There is no A/A where the two differ from
	// the beginning.
	Beside bool
	Seed   uint64 // of the order within pairs
}

// Bounds of a plan.
const (
	WindowMin = 5 * time.Second
	WindowMax = 10 * time.Minute
	ForMax    = 24 * time.Hour
	windowsAA = 4 // least
	pairsAB   = 3 // least, for each treatment
	windows   = 30
)

// NewPlan divides total: a fifth for A/A unless aa is set, windows of ten
// seconds, or shorter ones in a short time, unless window is set. Zero means
// not set, an aa below zero that there is none.
func NewPlan(total, aa, window time.Duration, tries int, beside bool, seed uint64) Plan {
	p := Plan{AA: aa, Window: window, Tries: max(tries, 1), Beside: beside, Seed: seed}
	if p.Window == 0 {
		p.Window = (total / time.Duration(windows*p.Tries)).Truncate(time.Second)
		p.Window = min(max(p.Window, WindowMin), verdict.DefaultWindow*time.Second)
	}
	if p.AA == 0 {
		p.AA = max(total/5, windowsAA*p.Window)
	}
	p.AA = max(p.AA.Truncate(2*p.Window), 0)
	p.AB = max((total - p.AA).Truncate(p.round()), 0)
	p.Settle = max(p.Window*verdict.DefaultSettle/verdict.DefaultWindow, time.Second)
	return p
}

// round is a pair of windows for each treatment.
func (p *Plan) round() time.Duration { return time.Duration(2*p.Tries) * p.Window }

// Check says what is wrong with a plan.
func (p *Plan) Check() error {
	least := windowsAA*p.Window + pairsAB*p.round()
	switch {
	case p.Window < WindowMin || p.Window > WindowMax:
		return fmt.Errorf("--window %s: want %s to %s", short(p.Window), short(WindowMin), short(WindowMax))
	case p.AA < windowsAA*p.Window && !(p.Beside && p.AA == 0):
		return fmt.Errorf("--aa: an A/A phase of less than %d windows of %s shows no noise: give it %s or more", windowsAA, short(p.Window), short(windowsAA*p.Window))
	case p.AB < pairsAB*p.round():
		return fmt.Errorf("--for: the time is too short: with windows of %s it takes %s at least, and says more the longer it is", short(p.Window), short(max(least, p.AA+pairsAB*p.round())))
	case p.Total() > ForMax:
		return fmt.Errorf("--for: %s is longer than the %s that an experiment may take", short(p.Total()), short(ForMax))
	}
	return nil
}

// Total is how long the arms take together.
func (p *Plan) Total() time.Duration { return p.AA + p.AB }

// Slot is a stretch of time in which a shadow runs with one thing.
type Slot struct {
	From, To time.Duration // since the arms began
	Phase    verdict.Phase
	Arm      verdict.Arm // in the A/A phase only a label
	Trial    int         // of a sweep: whose pair it is
}

// Slots lists a plan's slots. The arms of a pair come in an order that is drawn,
// so that nothing that comes and goes on that machine can keep time with them.
// The treatments of a sweep take turns by pairs.
func (p *Plan) Slots() []Slot {
	var out []Slot
	switch {
	case !p.Beside:
		for i, arm := range verdict.Schedule(int(p.AA/p.Window), p.Seed) {
			out = append(out, Slot{From: time.Duration(i) * p.Window, Phase: verdict.PhaseAA, Arm: arm})
		}
		for i, arm := range verdict.Schedule(int(p.AB/p.Window), p.Seed+1) {
			out = append(out, Slot{From: p.AA + time.Duration(i)*p.Window, Phase: verdict.PhaseAB, Arm: arm, Trial: i / 2 % p.Tries})
		}
	case p.AA > 0:
		out = append(out, Slot{Phase: verdict.PhaseAA})
		fallthrough
	default:
		out = append(out, Slot{From: p.AA, Phase: verdict.PhaseAB, Arm: verdict.Treatment})
	}
	for i := range out {
		out[i].To = p.Total()
		if i+1 < len(out) {
			out[i].To = out[i+1].From
		}
	}
	return out
}

// short writes a time without zero parts: 10m, 1m30s, 2h.
func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	if d < time.Second {
		return d.String()
	}
	for _, zero := range []string{"m0s", "h0m"} {
		if len(s) > len(zero) && s[len(s)-len(zero):] == zero {
			s = s[:len(s)-2]
		}
	}
	return s
}
