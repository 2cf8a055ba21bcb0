package verdict

import (
	"math"
	"slices"
)

// difference is a pair of windows, one of each arm: treatment less control, of
// logarithms where ratios are compared; the same of production, and of the
// logarithm of production's load. Zero stands for what is not known.
type difference struct {
	shadow, production, load float64
}

// compare is what is needed to compare the arms of one metric in one phase.
type compare struct {
	metric     *Metric
	in         *Input
	raw        *Series
	shadow     side
	production side
	control    side
	load       side // production's, by second
}

func newCompare(s *Series, in *Input) *compare {
	c := &compare{metric: &s.Metric, in: in, raw: s, shadow: newSide(s.Shadow), production: newSide(s.Production), control: newSide(s.Control)}
	if i := slices.IndexFunc(in.Series, func(s Series) bool { return s.Name == CPUPerMessage }); i >= 0 {
		c.load = newLoad(in.Series[i].Production)
	}
	if !s.Absolute {
		windows := append(c.windows(PhaseAA), c.windows(PhaseAB)...)
		c.shadow.clip(windows)
		c.production.clip(windows)
		c.control.clip(windows)
	}
	return c
}

// newLoad makes a metric of the denominators.
func newLoad(points []Point) side {
	s := newSide(points)
	for i := range s.points {
		s.points[i].Num, s.points[i].Den = s.points[i].Den, 0
	}
	s.ratio = false
	return s
}

// estimate compares the arms in a phase.
func (c *compare) estimate(phase Phase) estimate {
	if c.beside() {
		return c.estimateBeside(phase)
	}
	return signedRank(adjust(c.pairs(phase)))
}

// beside tells whether two shadows ran at the same time.
func (c *compare) beside() bool { return len(c.control.points) > 0 }

// windows of the phase, with made-up arms if it had but one.
func (c *compare) windows(phase Phase) []slot {
	all := slots(c.shadow.points, phase, c.in, c.metric.Lag, c.beside())
	if phase == PhaseAA && len(all) > 0 && oneArm(all) && !c.beside() {
		sham(all, c.in, c.metric.Lag)
	}
	return all
}

// pairs are the differences between windows that the schedule has put side by
// side, so that what changes slowly is the same in both.
func (c *compare) pairs(phase Phase) []difference {
	all := c.windows(phase)
	var out []difference
	for _, p := range pairUp(all) {
		a, b := &all[p[0]], &all[p[1]]
		d := difference{shadow: c.minus(&c.shadow, b, &c.shadow, a)}
		if v := c.minus(&c.production, b, &c.production, a); finite(v) {
			d.production = v
		}
		if v := math.Log(c.load.within(b, c.in.Exclude) / c.load.within(a, c.in.Exclude)); finite(v) {
			d.load = v
		}
		if finite(d.shadow) {
			out = append(out, d)
		}
	}
	return out
}

// pairUp returns where the two windows of each pair are, control first. Pairs
// begin at even windows, or at odd ones when the first was lost.
func pairUp(all []slot) [][2]int {
	var best [][2]int
	for odd := range 2 {
		var found [][2]int
		for i := 0; i+1 < len(all); i++ {
			a, b := &all[i], &all[i+1]
			switch {
			case a.index%2 != odd || b.index != a.index+1 || a.arm == b.arm:
			case a.arm == Control:
				found = append(found, [2]int{i, i + 1})
			default:
				found = append(found, [2]int{i + 1, i})
			}
		}
		if len(found) > len(best) {
			best = found
		}
	}
	return best
}

// estimateBeside compares two shadows that ran at the same time: in the A/A
// phase whether they differ, later by how much more they do. Without an A/A
// phase all of a difference counts, with some doubt.
func (c *compare) estimateBeside(phase Phase) estimate {
	before, after := c.sideBySide(PhaseAA), c.sideBySide(PhaseAB)
	if phase == PhaseAA {
		return blocks(values(before))
	}
	if len(before) < 2 {
		return doubt(blocks(values(after)), c.metric.unlike())
	}
	e := step(append(before, after...))
	e.n = len(after)
	return e
}

// unlike is the standard deviation by which two processes that are alike differ
// all the same: by where their threads and memory happen to be, by who is served
// first. Only an A/A phase could tell.
func (m *Metric) unlike() float64 {
	if m.Unlike > 0 {
		return m.Unlike
	}
	return 0.75 * m.Min
}

// doubt adds a standard error that is known beforehand.
func doubt(e estimate, se float64) estimate {
	if e.n < 2 || !(se > 0) {
		return e
	}
	both := e.se*e.se + se*se
	free := math.Min(1e6, both*both/(math.Pow(e.se, 4)/e.free))
	return normal(e.shift, math.Sqrt(both), free, e.n)
}

func values(points []timed) []float64 {
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = p.d
	}
	return out
}

// sideBySide are the differences, window by window, between two shadows that
// ran at the same time.
func (c *compare) sideBySide(phase Phase) []timed {
	var out []timed
	for _, w := range c.windows(phase) {
		if d := c.minus(&c.shadow, &w, &c.control, &w); finite(d) {
			out = append(out, timed{at: w.from - c.shadow.points[0].At, d: d, after: float64(phase)})
		}
	}
	return out
}

// minus is the metric on x in window v less that on y in window w, NaN if
// either is not known or has no logarithm.
func (c *compare) minus(x *side, v *slot, y *side, w *slot) float64 {
	a, b := x.within(v, c.in.Exclude), y.within(w, c.in.Exclude)
	if c.metric.Absolute {
		return a - b
	}
	if a <= 0 || b <= 0 {
		return math.NaN()
	}
	return math.Log(a) - math.Log(b)
}

// adjustMin is how many pairs it takes to say how much of a difference came
// from load.
const adjustMin = rankMin

// adjust takes from each difference what came from a load that swings, and then
// what production shared of the rest: a machine that slows down. How much that
// is comes from the data: all on one machine, nothing where the shadow's noise
// is its own. It uses products of two differences, which do not tell the arms
// apart, and the middle of the data, which no single pair decides.
func adjust(pairs []difference) []float64 {
	shadow, production, load := make([]float64, len(pairs)), make([]float64, len(pairs)), make([]float64, len(pairs))
	for i, p := range pairs {
		shadow[i], production[i], load[i] = p.shadow, p.production, p.load
	}
	if len(pairs) >= adjustMin {
		take(shadow, load, -loadMax)
		take(production, load, -loadMax)
	}
	if len(pairs) < fitMin {
		lessen(shadow, production)
	} else {
		take(shadow, production, 0)
	}
	return shadow
}

// fitMin is how many pairs it takes to say how much production shared.
const fitMin = 6

// lessen takes all of x from y if that leaves less, or else nothing.
func lessen(y, x []float64) {
	var with, without float64
	for i := range y {
		with += (y[i] - x[i]) * (y[i] - x[i])
		without += y[i] * y[i]
	}
	if with < without {
		for i := range y {
			y[i] -= x[i]
		}
	}
}

// Bounds of what is taken away: of production's difference, and of load's for
// what does not depend on it by more than that power.
const (
	slopeMax = 1.2
	loadMax  = 1.2
)

// take takes from y what goes with x.
func take(y, x []float64, least float64) {
	share := min(max(slope(x, y), least), slopeMax)
	for i := range y {
		y[i] -= share * x[i]
	}
}

// slope fits y = slope·x without an intercept; values beyond two deviations
// count as two.
func slope(x, y []float64) float64 {
	kx, ky := bound(x), bound(y)
	var xy, xx float64
	for i := range x {
		a := min(max(x[i], -kx), kx)
		xy += a * min(max(y[i], -ky), ky)
		xx += a * a
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

// bound is two standard deviations of values around zero, from their median.
func bound(x []float64) float64 {
	away := make([]float64, len(x))
	for i, v := range x {
		away[i] = math.Abs(v)
	}
	if m := median(away); m > 0 {
		return 2 * 1.4826 * m
	}
	return math.Inf(1)
}
