package experiment

import (
	"math"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/report"
	"pushfleet/pushctl/experiment/verdict"
)

// newReport begins the report with what was asked for.
func (e *experiment) newReport() *report.Report {
	p := &e.o.Plan
	r := &report.Report{Form: report.Form, Begin: e.begin, Settings: report.Settings{
		Sample: e.o.Query.Sample, Redact: e.o.Query.Redact.String(),
		For: p.Total().Seconds(), AA: p.AA.Seconds(), Window: p.Window.Seconds(), Settle: p.Settle.Seconds(),
		Alpha: e.o.Alpha, Seed: p.Seed}}
	if r.Settings.Alpha == 0 {
		r.Settings.Alpha = verdict.DefaultAlpha
	}
	for _, c := range e.o.StopIf {
		r.Settings.StopIf = append(r.Settings.StopIf, c.String())
	}
	return r
}

// describe names the sides.
func (e *experiment) describe() {
	e.r.From = sideOf(e.production)
	if e.to != nil {
		e.r.To = sideOf(e.to)
	}
	if e.control != nil {
		c := sideOf(e.control)
		e.r.Control = &c
	}
}

func sideOf(s *side) report.Side {
	out := report.Side{Address: s.node.Addr()}
	if st := s.state().last; st != nil {
		out.Name, out.Version, out.Shadow, out.Connections = st.Node, st.Version, st.Shadow, st.Connections.Total
	}
	return out
}

// finish fills the report from what was gathered.
func (e *experiment) finish() {
	r := e.r
	r.End = time.Now()
	r.Tap = e.tap
	if e.to != nil {
		r.To.Connections = sideOf(e.to).Connections
	}
	counts := e.o.To.Counts()
	r.Driver = &counts
	r.Excluded = append(r.Excluded, e.excluded(counts)...)
	if e.o.Control != nil {
		c := e.o.Control.Counts()
		r.Beside = &c
		r.Excluded = append(r.Excluded, e.excluded(c)...)
		r.Control.Connections = sideOf(e.control).Connections
	}
	likeMemory(e.sides()) // nobody follows any more
	r.Cost = e.cost()
	r.Plots = e.plots()
	if e.o.Mirror || len(e.slots) == 0 {
		return
	}
	trials := e.trials()
	var in []verdict.Input
	for i := range trials {
		in = append(in, e.input(i))
	}
	judged := verdict.JudgeAll(in)
	for i, set := range trials {
		t := report.Trial{Name: trialName(set), Verdict: judged[i]}
		for _, s := range set {
			t.Set = append(t.Set, report.Knob{Name: s.Name, Before: e.knobs.was(s.Name), Value: s.Value})
		}
		r.Trials = append(r.Trials, t)
	}
	r.Finish()
}

// trialName is what a trial is called: its settings.
func trialName(set []Setting) string {
	var parts []string
	for _, s := range set {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, " ")
}

// was is a knob's value before the experiment.
func (k *knobs) was(name string) string {
	for _, kept := range k.kept {
		if kept.Name == name {
			return kept.Value
		}
	}
	return ""
}

// excluded are the driver's spans, in seconds of the experiment. What comes
// behind the last slot, when all is taken down, is none of its seconds.
func (e *experiment) excluded(c drive.Counts) (out []verdict.Span) {
	for _, s := range c.Excluded {
		if len(e.slots) > 0 && s.From.After(e.arms.Add(e.o.Plan.Total())) {
			continue
		}
		out = append(out, verdict.Span{From: s.From.Sub(e.begin).Seconds(), To: s.To.Sub(e.begin).Seconds(), Why: s.Why})
	}
	return out
}

// input is a trial as the verdict wants it: seconds count from the first slot.
func (e *experiment) input(trial int) verdict.Input {
	begin := e.arms.Sub(e.begin).Seconds()
	in := verdict.Input{Window: e.o.Plan.Window.Seconds(), Settle: e.o.Plan.Settle.Seconds(), Seed: e.o.Plan.Seed, Alpha: e.r.Settings.Alpha}
	turn := func(s Slot) verdict.Arm { return s.Arm }
	always := func(a verdict.Arm) func(Slot) verdict.Arm { return func(Slot) verdict.Arm { return a } }
	for _, m := range verdict.Metrics() {
		of := func(s *side, arm func(Slot) verdict.Arm) []verdict.Point {
			readings, rows := s.all()
			return labelled(amounts(m.Name, readings, rows), e.slots, begin, trial, arm)
		}
		s := verdict.Series{Metric: m}
		if e.control == nil {
			s.Production, s.Shadow = of(e.production, turn), of(e.to, turn)
		} else {
			s.Production, s.Shadow, s.Control = of(e.production, always(verdict.Control)), of(e.to, always(verdict.Treatment)), of(e.control, always(verdict.Control))
		}
		in.Series = append(in.Series, s)
	}
	for _, x := range e.r.Excluded {
		in.Exclude = append(in.Exclude, verdict.Span{From: x.From - begin, To: x.To - begin, Why: x.Why})
	}
	for i, s := range e.slots {
		// The arm before was another trial's, which the series does not show.
		if i > 0 && s.Phase == verdict.PhaseAB && s.Trial == trial && e.slots[i-1].Trial != trial {
			in.Exclude = append(in.Exclude, verdict.Span{From: s.From.Seconds(), To: (s.From + e.o.Plan.Settle).Seconds(), Why: "settling"})
		}
	}
	return in
}

// plotPoints is how many points a line of the report has at most.
const plotPoints = 600

// plots are the metrics over time, thinned.
func (e *experiment) plots() (out []report.Plot) {
	end := e.now()
	step := math.Max(1, math.Ceil(end/plotPoints))
	n := int(end/step) + 1
	for _, m := range verdict.Metrics() {
		p := report.Plot{Metric: m}
		for i := range n {
			p.At = append(p.At, float64(i)*step)
		}
		line := func(s *side) report.Values {
			readings, rows := s.all()
			return thin(amounts(m.Name, readings, rows), step, n)
		}
		p.Production = line(e.production)
		if e.to != nil {
			p.Shadow = line(e.to)
		}
		if e.control != nil {
			p.Control = line(e.control)
		}
		out = append(out, p)
	}
	return out
}

// thin sums up the seconds of each step.
func thin(in []timed, step float64, n int) report.Values {
	sums := make([]amount, n)
	counts := make([]int, n)
	for _, t := range in {
		i := int(t.at / step)
		if i < 0 || i >= n || math.IsNaN(t.ratio()) {
			continue
		}
		sums[i].num += t.num
		sums[i].den += t.den
		counts[i]++
	}
	out := make(report.Values, n)
	for i := range out {
		switch {
		case counts[i] == 0:
			out[i] = math.NaN()
		case sums[i].den == 0:
			out[i] = sums[i].num / float64(counts[i])
		default:
			out[i] = sums[i].ratio()
		}
	}
	return out
}

// cost is what the tee took of production.
func (e *experiment) cost() *report.Cost {
	_, rows := e.production.all()
	var during []row
	for _, r := range rows {
		if e.joined > 0 && r.at > e.joined {
			during = append(during, r)
		}
	}
	c := &report.Cost{During: figuresIn(during)}
	if before := alike(e.before, during); len(before) >= rowsLeast {
		c.Before = figuresIn(before)
	}
	if t := e.tap; t != nil && e.joined > 0 {
		c.TapCPU = 100 * t.CPUSeconds / math.Max(tapSeconds(t, e.r.End), 1)
	}
	return c
}

func tapSeconds(t *pushdapi.Tap, now time.Time) float64 {
	if t.EndedAt.After(t.Since) {
		now = t.EndedAt
	}
	return now.Sub(t.Since).Seconds()
}

func figuresIn(rows []row) report.Figures {
	f := report.Figures{Seconds: float64(len(rows))}
	var cpu, delivered float64
	for _, r := range rows {
		if !math.IsNaN(r.cpu) && !math.IsNaN(r.delivered) {
			cpu, delivered = cpu+r.cpu, delivered+r.delivered
		}
	}
	if delivered > 0 {
		f.CPUMessage = cpu / delivered
	}
	if v := meanOf(rows, func(r row) float64 { return r.p99 }); !math.IsNaN(v) {
		f.P99 = v
	}
	if v := meanOf(rows, func(r row) float64 { return r.drops }); !math.IsNaN(v) {
		f.Dropped = v
	}
	return f
}
