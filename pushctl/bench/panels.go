package bench

import "math"

// panel is one chart over the seconds of a run, drawn as SVG and as PNG.
type panel struct {
	title string
	log   bool // logarithmic values
	unit  string
	lines []series
}

// series is one line of a panel; NaN breaks it.
type series struct {
	name   string
	colour int // index into palette
	x, y   []float64
}

// palette can be told apart by colour-blind readers (Okabe and Ito).
var palette = [...]string{"#0072B2", "#E69F00", "#009E73", "#CC79A7"}

// panels are the charts of a report; those without any value are left out.
func (r *Report) panels() []panel {
	rate := func(f func(*Sample) float64) func(*Sample) float64 { return f }
	asked := func(f func(*Sample) float64) func(*Sample) float64 {
		return func(s *Sample) float64 {
			if !s.NodeAsked {
				return math.NaN()
			}
			return f(s)
		}
	}
	positive := func(f func(*Sample) float64, scale float64) func(*Sample) float64 {
		return func(s *Sample) float64 {
			if v := f(s); v > 0 {
				return v * scale
			}
			return math.NaN()
		}
	}
	all := []panel{
		{title: "latency from intended send", unit: "ms", log: true, lines: []series{
			r.series("p50", 0, positive(func(s *Sample) float64 { return s.P50 }, 1e3)),
			r.series("p99", 1, positive(func(s *Sample) float64 { return s.P99 }, 1e3)),
			r.series("p99.9", 2, positive(func(s *Sample) float64 { return s.P999 }, 1e3)),
			r.series("max", 3, positive(func(s *Sample) float64 { return s.Max }, 1e3))}},
		{title: "messages", unit: "1/s", lines: []series{
			r.series("sent", 1, rate(func(s *Sample) float64 { return s.Sent })),
			r.series("received", 0, rate(func(s *Sample) float64 { return s.Received }))}},
		{title: "connections", lines: []series{
			r.series("open", 0, func(s *Sample) float64 { return float64(s.Open) }),
			r.series("closed so far", 1, func(s *Sample) float64 { return float64(s.Closed) })}},
		{title: "queued on the node", unit: "messages", lines: []series{
			r.series("queued", 0, asked(func(s *Sample) float64 { return float64(s.Queued) }))}},
		{title: "node memory (PSS)", unit: "MB", lines: []series{
			r.series("memory", 0, positive(func(s *Sample) float64 { return float64(s.NodePSS) }, 1e-6))}},
		{title: "node CPU", unit: "cores", lines: []series{
			r.series("cpu", 0, positive(func(s *Sample) float64 { return s.NodeCPU }, 1))}},
	}
	out := all[:0]
	for _, p := range all {
		if _, high := p.rangeY(); high > 0 {
			out = append(out, p)
		}
	}
	return out
}

func (r *Report) series(name string, colour int, f func(*Sample) float64) series {
	s := series{name: name, colour: colour}
	for i := range r.Samples {
		s.x = append(s.x, r.Samples[i].Second)
		s.y = append(s.y, f(&r.Samples[i]))
	}
	return s
}

// rangeY returns the least and greatest value; 0, 0 when there is none.
func (p *panel) rangeY() (low, high float64) {
	low = math.Inf(1)
	for _, l := range p.lines {
		for _, v := range l.y {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if math.IsInf(low, 1) {
		low = 0
	}
	return low, high
}

// axis returns the range to draw and where its lines and numbers are: powers
// of ten when logarithmic, else about four round steps from zero.
func (p *panel) axis() (low, high float64, ticks []float64) {
	low, high = p.rangeY()
	if p.log {
		low = math.Pow(10, math.Floor(math.Log10(max(low, 1e-9))))
		high = math.Pow(10, math.Ceil(math.Log10(max(high, low*1.01))))
		if high <= low {
			high = low * 10
		}
		for v := low; v <= high*1.001; v *= 10 {
			ticks = append(ticks, v)
		}
		return low, high, ticks
	}
	step := niceStep(high / 4)
	high = step * math.Ceil(high*1.02/step)
	for v := 0.0; v <= high*1.001; v += step {
		ticks = append(ticks, v)
	}
	return 0, high, ticks
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*p*1.0001 {
			return m * p
		}
	}
	return 10 * p
}

// tickText prints a number of an axis.
func tickText(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return digits(v/1e6) + " M"
	case a >= 1e4:
		return digits(v/1e3) + " k"
	case a >= 1000:
		return commas(v)
	case a >= 1 && v == math.Trunc(v):
		return commas(v)
	case v == 0:
		return "0"
	}
	return trimZeros(v)
}

// phases returns the seconds at which the phase changes, with its name.
func (r *Report) phases() (at []float64, names []string) {
	last := ""
	for _, s := range r.Samples {
		if s.Phase != last {
			at, names, last = append(at, s.Second), append(names, s.Phase), s.Phase
		}
	}
	return at, names
}

// span of the x axis, in seconds.
func (r *Report) spanX() (low, high float64) {
	n := len(r.Samples)
	if n == 0 {
		return 0, 1
	}
	return 0, max(r.Samples[n-1].Second, 1)
}
