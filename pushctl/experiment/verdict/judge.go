package verdict

import (
	"fmt"
	"math"
	"slices"
)

// Judge judges an experiment. Its cost grows with the seconds; some minutes of
// a dozen metrics take milliseconds. To judge again and again and to stop when
// the result pleases makes false alarms likely: judge once, at the end.
func Judge(in Input) Verdict { return JudgeAll([]Input{in})[0] }

// JudgeAll judges the trials of a sweep: false alarms are bounded over all of
// them together by the first one's Alpha.
func JudgeAll(trials []Input) []Verdict {
	out := make([]Verdict, len(trials))
	var all []*found
	alpha := 0.0
	for i := range trials {
		in := trials[i].defaults()
		if i == 0 {
			alpha = in.Alpha
		}
		v := &out[i]
		v.Excluded = excluded(&in)
		v.Effects = make([]Effect, len(in.Series))
		var same []*found
		for k := range in.Series {
			c := newCompare(&in.Series[k], &in)
			aa := c.found(PhaseAA)
			if aa.n > 0 {
				v.AA = append(v.AA, Effect{})
				same = append(same, aa)
			}
			all = append(all, c.against(aa, &v.Effects[k]))
		}
		for k, f := range same {
			f.effect = &v.AA[k]
		}
		settle(same, alpha)
	}
	settle(all, alpha)
	for i := range out {
		out[i].conclude()
	}
	return out
}

func (in Input) defaults() Input {
	if in.Window <= 0 {
		in.Window = DefaultWindow
	}
	in.Window = max(in.Window, 1)
	if in.Settle == 0 {
		in.Settle = DefaultSettle
	}
	in.Settle = max(0, in.Settle)
	if in.Alpha <= 0 || in.Alpha >= 1 {
		in.Alpha = DefaultAlpha
	}
	return in
}

// excluded counts the seconds of both phases that Exclude takes out.
func excluded(in *Input) float64 {
	n := 0
	if len(in.Series) > 0 {
		for _, p := range in.Series[0].Shadow {
			if slices.ContainsFunc(in.Exclude, func(e Span) bool { return p.At >= e.From && p.At < e.To }) {
				n++
			}
		}
	}
	return float64(n)
}

// found is an estimate on its way to become an effect.
type found struct {
	estimate
	c      *compare
	phase  Phase
	noise  float64
	effect *Effect
}

func (c *compare) found(phase Phase) *found {
	return &found{estimate: c.estimate(phase), c: c, phase: phase}
}

// against is the comparison of the arms, with what the A/A phase says of its
// noise.
func (c *compare) against(aa *found, e *Effect) *found {
	f := c.found(PhaseAB)
	f.effect = e
	if aa.n > 1 {
		f.noise = 2 * aa.se
	}
	return f
}

// settle adjusts the probabilities over all that decide, and apart from them
// over all that only explain, and says what each means.
func settle(all []*found, alpha float64) {
	for _, watch := range []bool{false, true} {
		var family []*found
		weights := 0.0
		for _, f := range all {
			if f.c.metric.Watch == watch && f.n > 1 {
				family = append(family, f)
				weights += weight(f.c.metric)
			}
		}
		holm(family)
		for _, f := range all {
			if f.c.metric.Watch == watch {
				f.say(alpha, alpha*weight(f.c.metric)/max(weights, weight(f.c.metric)))
			}
		}
	}
}

func weight(m *Metric) float64 {
	if m.Weight > 0 {
		return m.Weight
	}
	return 1
}

// holm adjusts probabilities so that among all of a family, whatever of it is
// true, one below alpha comes by chance with at most alpha (Holm's steps, with
// weights).
func holm(family []*found) {
	left := 0.0
	for _, f := range family {
		left += weight(f.c.metric)
	}
	slices.SortStableFunc(family, func(a, b *found) int {
		switch x, y := a.p/weight(a.c.metric), b.p/weight(b.c.metric); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	least := 0.0
	for _, f := range family {
		w := weight(f.c.metric)
		least = max(least, min(1, f.p*left/w))
		f.p = least
		left -= w
	}
}

// say fills the effect in. share is the part of alpha that the metric has when
// no other has been found.
func (f *found) say(alpha, share float64) {
	e, m := f.effect, f.c.metric
	*e = Effect{Metric: *m, Result: NoEvidence, P: 1, Windows: f.n}
	e.Control, e.Treatment, e.Production = f.c.levels(f.phase)
	if f.n < 2 {
		e.Why = f.c.tooFew(f.phase)
		return
	}
	e.P = f.p
	e.Change, e.Low, e.High = f.c.natural(f.shift), f.c.natural(f.low), f.c.natural(f.high)
	e.Noise = f.c.natural(f.noise)
	least := m.Least(e.Control)
	e.Detectable = f.detectable(share, least)
	switch {
	case e.P <= alpha && math.Abs(e.Change) >= least:
		e.Result = Worse
		if (e.Change > 0) == (m.Better > 0) {
			e.Result = Better
		}
	case e.Low > -least && e.High < least:
		e.Result = Equal
	case e.P <= alpha:
		e.Why = "a change, but smaller than matters"
	case f.fewest > share:
		e.Why = fmt.Sprintf("too few windows: %d pairs cannot show anything, however large; let it run longer", f.n)
	}
}

// mostChange bounds relative changes: what is farther off is noise of two or
// three windows.
const mostChange = 100

// natural turns a shift into what users see: a relative change, or a
// difference in the metric's unit.
func (c *compare) natural(v float64) float64 {
	if c.metric.Absolute {
		return v
	}
	return min(math.Expm1(v), mostChange)
}

// Least is the smallest change that matters, at the control's level.
func (m *Metric) Least(control float64) float64 {
	if m.Absolute {
		return max(m.Min, m.Floor)
	}
	if control > 0 {
		return max(m.Min, m.Floor/control)
	}
	return m.Min
}

// detectable is the smallest change that would have been found 9 times of 10.
func (f *found) detectable(share, least float64) float64 {
	if f.fewest > share {
		return 0
	}
	most := tQuantile(0.9, f.free)
	v := max(f.c.natural((tQuantile(1-share/2, f.free)+most)*f.se), least+most*f.c.natural(f.se))
	if !f.c.metric.Absolute && v >= mostChange || !finite(v) {
		return 0
	}
	return v
}

// levels are the metric in both arms and in production, over the windows that
// count, as it was measured.
func (c *compare) levels(phase Phase) (control, treatment, production float64) {
	a, b, p := total{ratio: c.shadow.ratio}, total{ratio: c.shadow.ratio}, total{ratio: c.production.ratio}
	windows := c.windows(phase)
	shadow, prod, beside := newSide(c.raw.Shadow), newSide(c.raw.Production), newSide(c.raw.Control)
	for i := range windows {
		w := &windows[i]
		prod.sum(w, c.in.Exclude, &p)
		switch {
		case c.beside():
			beside.sum(w, c.in.Exclude, &a)
			shadow.sum(w, c.in.Exclude, &b)
		case w.arm == Control:
			shadow.sum(w, c.in.Exclude, &a)
		default:
			shadow.sum(w, c.in.Exclude, &b)
		}
	}
	return known(a.value()), known(b.value()), known(p.value())
}

// known is 0 for what is not: JSON has no word for it.
func known(v float64) float64 {
	if finite(v) {
		return v
	}
	return 0
}

// tooFew says why there is nothing to compare.
func (c *compare) tooFew(phase Phase) string {
	m := c.metric
	need := c.in.Settle + m.Lag + pointsMin
	windows := c.windows(phase)
	switch {
	case len(c.shadow.points) == 0:
		return "not measured"
	case len(windows) < 4:
		return "it ended too early"
	case c.in.Window < need && !c.beside():
		return fmt.Sprintf("its values look back: windows of %g s or more are needed", math.Ceil(need))
	case !m.Absolute && c.zero(windows):
		return "zero most of the time"
	}
	return "not known in enough windows"
}

// zero tells whether the metric is mostly zero on the shadow.
func (c *compare) zero(windows []slot) bool {
	n := 0
	for i := range windows {
		if c.shadow.within(&windows[i], c.in.Exclude) == 0 {
			n++
		}
	}
	return 2*n > len(windows)
}
