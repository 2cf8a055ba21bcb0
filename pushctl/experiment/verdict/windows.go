package verdict

import (
	"cmp"
	"math"
	"slices"
)

// slot is a window of an experiment: time in which one arm ran.
type slot struct {
	index    int // in the schedule, from 0
	from, to float64
	use      float64 // seconds before it are settling
	arm      Arm
}

// slots are the windows of a phase of which there are seconds. They lie on a
// grid of the window's length that begins where arms change. lag is added to
// settling behind a change. Of shadows side by side nothing changes.
func slots(points []Point, phase Phase, in *Input, lag float64, beside bool) []slot {
	points = slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return p.Phase != phase })
	if len(points) == 0 {
		return nil
	}
	if beside {
		for i := range points {
			points[i].Arm = Treatment
		}
	}
	begin := grid(points, in.Window)
	var out []slot
	use := points[0].At + in.Settle + lag
	for i, p := range points {
		if i > 0 && (p.Arm != points[i-1].Arm || p.At-points[i-1].At > in.Window) {
			use = p.At + in.Settle + lag // behind a gap something else may have run
		}
		k := int((p.At - begin) / in.Window)
		if n := len(out); n == 0 || out[n-1].index != k {
			from := begin + float64(k)*in.Window
			out = append(out, slot{index: k, from: from, to: from + in.Window})
		}
		s := &out[len(out)-1]
		s.arm, s.use = p.Arm, use // of its last second, should the change have been late
	}
	return out
}

// grid is where the first window begins: a whole number of windows before the
// changes of arms, which may be off by a little each, and not behind the first
// second.
func grid(points []Point, window float64) float64 {
	var x, y float64
	for i, p := range points {
		if i > 0 && p.Arm != points[i-1].Arm {
			turn := 2 * math.Pi * p.At / window
			x, y = x+math.Cos(turn), y+math.Sin(turn)
		}
	}
	first := points[0].At
	if x == 0 && y == 0 {
		return first
	}
	const early = 0.6 // seconds that a change may be ahead of the others
	begin := math.Atan2(y, x)/(2*math.Pi)*window - early
	return begin + math.Floor((first-begin)/window)*window
}

// sham gives the windows of a phase in which the arms were not told apart
// those of a schedule, as if there had been two.
func sham(slots []slot, in *Input, lag float64) {
	arms := Schedule(slots[len(slots)-1].index+1, in.Seed)
	for i := range slots {
		s := &slots[i]
		s.arm = arms[s.index]
		switch {
		case s.index == 0 || s.arm != arms[s.index-1]:
			s.use = s.from + in.Settle + lag
		case i > 0:
			s.use = slots[i-1].use
		}
	}
}

// oneArm tells whether all windows are of one.
func oneArm(slots []slot) bool {
	return !slices.ContainsFunc(slots, func(s slot) bool { return s.arm != slots[0].arm })
}

// counts tells whether a second of a window does: it has settled, and nothing
// excludes it.
func (s *slot) counts(at float64, exclude []Span) bool {
	if at < s.from || at >= s.to || at < s.use {
		return false
	}
	return !slices.ContainsFunc(exclude, func(e Span) bool { return at >= e.From && at < e.To })
}

// pointsMin is how many seconds a window needs.
const pointsMin = 2

// timeMax bounds an experiment, in seconds: eleven days.
const timeMax = 1e6

// side is a metric on one node: its seconds in order.
type side struct {
	points []Point
	ratio  bool // some have denominators
}

func newSide(points []Point) side {
	s := side{points: slices.Clone(points)}
	slices.SortStableFunc(s.points, func(a, b Point) int { return cmp.Compare(a.At, b.At) })
	s.points = slices.DeleteFunc(s.points, func(p Point) bool { return !(p.At >= 0 && p.At < timeMax) })
	s.ratio = slices.ContainsFunc(s.points, func(p Point) bool { return p.Den != 0 })
	return s
}

// sum adds the seconds of a window that count.
func (s *side) sum(w *slot, exclude []Span, t *total) {
	for i := s.from(w.from); i < len(s.points) && s.points[i].At < w.to; i++ {
		if w.counts(s.points[i].At, exclude) {
			t.add(&s.points[i])
		}
	}
}

// within is what the metric was in the seconds of a window that count, NaN if
// that is not known.
func (s *side) within(w *slot, exclude []Span) float64 {
	t := total{ratio: s.ratio}
	s.sum(w, exclude, &t)
	if t.n < pointsMin {
		return math.NaN()
	}
	return t.value()
}

// total sums seconds.
type total struct {
	num, den float64
	n        int
	ratio    bool
}

func (t *total) add(p *Point) {
	if finite(p.Num) && finite(p.Den) {
		t.num, t.den = t.num+p.Num, t.den+p.Den
		t.n++
	}
}

// value is the ratio of the sums, or without denominators the mean; NaN when
// there is neither.
func (t *total) value() float64 {
	switch {
	case t.n == 0 || t.ratio && t.den == 0:
		return math.NaN()
	case t.ratio:
		return t.num / t.den
	}
	return t.num / float64(t.n)
}

// finite tells whether v is a figure that can be reckoned with.
func finite(v float64) bool { return math.Abs(v) < 1e100 }
