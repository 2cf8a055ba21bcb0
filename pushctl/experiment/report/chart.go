package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"pushfleet/pushctl/experiment/verdict"
)

// Size of a time line, in its own units.
const (
	chartW, chartH         = 560, 210
	chartLeft, chartRight  = 62, 10
	chartTop, chartBottom  = 40, 24
	chartPlotW, chartPlotH = chartW - chartLeft - chartRight, chartH - chartTop - chartBottom
)

// chart draws one metric over time.
type chart struct {
	r         *Report
	p         *Plot
	end       float64
	low, high float64
	b         strings.Builder
}

// charts are the time lines of all metrics that have one.
func (r *Report) charts() []template.HTML {
	var out []template.HTML
	for i := range r.Plots {
		c := &chart{r: r, p: &r.Plots[i]}
		if c.ranges() {
			out = append(out, c.draw())
		}
	}
	return out
}

// ranges finds what to draw; false when nothing is known or all is zero. The
// top is the 99.5th of a hundred: one second may stand far out.
func (c *chart) ranges() bool {
	var all []float64
	for _, v := range c.lines() {
		for _, x := range v.values {
			if !math.IsNaN(x) {
				all = append(all, x)
			}
		}
	}
	if len(all) == 0 || len(c.p.At) == 0 {
		return false
	}
	slices.Sort(all)
	c.high = all[min(len(all)-1, len(all)*995/1000)]
	c.low = min(0, all[0])
	c.end = max(c.p.At[len(c.p.At)-1], 1)
	for _, s := range c.r.Stretches {
		c.end = max(c.end, s.To)
	}
	return c.high > c.low
}

// line is one node's values. Classes of the page colour them.
type line struct {
	name, class string
	values      Values
}

func (c *chart) lines() []line {
	out := []line{{"production", "p", c.p.Production}, {"shadow", "s", c.p.Shadow}, {"control", "c", c.p.Control}}
	return slices.DeleteFunc(out, func(l line) bool { return len(l.values) == 0 })
}

func (c *chart) x(at float64) float64 { return chartLeft + at/c.end*chartPlotW }

func (c *chart) y(v float64) float64 {
	f := min(max((v-c.low)/(c.high*1.04-c.low), 0), 1)
	return chartTop + chartPlotH*(1-f)
}

func (c *chart) draw() template.HTML {
	title := template.HTMLEscapeString(c.p.Metric.Title)
	fmt.Fprintf(&c.b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s over time">`, chartW, chartH, title)
	c.shade()
	fmt.Fprintf(&c.b, `<text class="title" x="%d" y="15">%s</text>`, chartLeft, title)
	c.axes()
	at := float64(chartLeft)
	for _, l := range c.lines() {
		fmt.Fprintf(&c.b, `<path class="%s" d="%s"/>`, l.class, c.path(l.values))
		fmt.Fprintf(&c.b, `<rect class="%s" x="%.0f" y="25" width="14" height="3"/><text class="tick" x="%.0f" y="30">%s</text>`,
			l.class, at, at+19, l.name)
		at += 40 + 6.2*float64(len(l.name))
	}
	c.means()
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String())
}

// shade marks the phases, the seconds in which the treatment ran, and those
// that do not count.
func (c *chart) shade() {
	box := func(class string, from, to float64, title string) {
		from, to = min(max(from, 0), c.end), min(max(to, 0), c.end)
		fmt.Fprintf(&c.b, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"><title>%s</title></rect>`,
			class, c.x(from), chartTop, c.x(to)-c.x(from), chartPlotH, template.HTMLEscapeString(title))
	}
	last := ""
	for _, s := range c.r.Stretches {
		if s.Phase == "ab" && s.Arm == "B" {
			box("b", s.From, s.To, "tried "+c.r.trialName(s.Trial))
		}
		if s.Phase != last && (s.Phase == "aa" || s.Phase == "ab") {
			fmt.Fprintf(&c.b, `<line class="phase" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text class="phase" x="%.1f" y="%d">%s</text>`,
				c.x(s.From), c.x(s.From), chartTop-6, chartTop+chartPlotH, c.x(s.From)+3, chartTop-1, map[string]string{"aa": "A/A", "ab": "A/B"}[s.Phase])
		}
		last = s.Phase
	}
	for _, s := range c.r.Excluded {
		box("x", s.From, s.To, "not counted: "+s.Why)
	}
}

// trialName is what a trial of a sweep is called, "" when there is but one.
func (r *Report) trialName(i int) string {
	if i < 0 || i >= len(r.Trials) {
		return ""
	}
	return r.Trials[i].Name
}

// ticksMax bounds the ticks of an axis, whatever the figures of a file are.
const ticksMax = 12

func (c *chart) axes() {
	every := step((c.high - c.low) / 4)
	for i := range ticksMax {
		v := (math.Ceil(c.low/every) + float64(i)) * every
		if !(v <= c.high*1.001) {
			break
		}
		text := "0"
		if math.Abs(v) > every/2 {
			text = c.p.Metric.Value(v)
		}
		fmt.Fprintf(&c.b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="tick" text-anchor="end" x="%d" y="%.1f">%s</text>`,
			chartLeft, chartW-chartRight, c.y(v), c.y(v), chartLeft-6, c.y(v)+4, template.HTMLEscapeString(text))
	}
	every = timeStep(c.end / 7)
	for i := range ticksMax {
		v := float64(i) * every
		if v > c.end {
			break
		}
		fmt.Fprintf(&c.b, `<text class="tick" text-anchor="middle" x="%.1f" y="%d">%s</text>`, c.x(v), chartH-7, length(v))
	}
}

// timeStep rounds seconds up to what people count in.
func timeStep(v float64) float64 {
	for _, s := range []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400} {
		if v <= s {
			return s
		}
	}
	return 3600 * math.Ceil(v/3600)
}

// step rounds up to 1, 2 or 5 times a power of ten.
func step(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*p*1.0001 {
			return m * p
		}
	}
	return 10 * p
}

// path is the d attribute of a line; a lone point between gaps becomes a dot.
func (c *chart) path(values Values) string {
	b := make([]byte, 0, 12*len(values))
	pen := byte('M')
	for i, v := range values[:min(len(values), len(c.p.At))] {
		if math.IsNaN(v) {
			pen = 'M'
			continue
		}
		b = append(b, pen)
		b = strconv.AppendFloat(b, c.x(c.p.At[i]), 'f', 1, 64)
		b = append(b, ' ')
		b = strconv.AppendFloat(b, c.y(v), 'f', 1, 64)
		if pen == 'M' {
			b = append(b, "h0"...)
		}
		pen = 'L'
	}
	return string(b)
}

// means draws the mean of each window of the shadow over the seconds, in the
// colour of its arm.
func (c *chart) means() {
	for _, s := range c.r.Stretches {
		if s.Phase != "aa" && s.Phase != "ab" {
			continue
		}
		sum, n := 0.0, 0
		for i, at := range c.p.At[:min(len(c.p.At), len(c.p.Shadow))] {
			if v := c.p.Shadow[i]; at >= s.From+c.r.Settings.Settle && at < s.To && !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		if n == 0 {
			continue
		}
		class := "ma"
		if s.Phase == "ab" && s.Arm == "B" {
			class = "mb"
		}
		y := c.y(sum / float64(n))
		fmt.Fprintf(&c.b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, class, c.x(s.From), c.x(s.To), y, y)
	}
}

// Size of an interval's picture.
const barW, barH = 150, 22

// bar draws the 95 % interval of an effect over what does not matter (a band)
// and what this pair of machines calls a difference (a line below).
func bar(e *verdict.Effect) template.HTML {
	matters := e.Metric.Least(e.Control)
	span := max(math.Abs(e.Low), math.Abs(e.High), matters, min(e.Noise, 3*matters)) * 1.15
	if e.Windows < 2 || !(span > 0) {
		return ""
	}
	x := func(v float64) float64 { return barW/2 + min(max(v/span, -1), 1)*barW/2 }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bar" viewBox="0 0 %d %d" role="img" aria-label="interval %s">`, barW, barH, e.Interval())
	fmt.Fprintf(&b, `<rect class="same" x="%.1f" y="2" width="%.1f" height="%d"><title>smaller than matters: ±%s</title></rect>`,
		x(-matters), x(matters)-x(-matters), barH-4, e.Size(matters))
	fmt.Fprintf(&b, `<line class="zero" x1="%d" x2="%d" y1="0" y2="%d"/>`, barW/2, barW/2, barH)
	if e.Noise > 0 {
		fmt.Fprintf(&b, `<line class="noise" x1="%.1f" x2="%.1f" y1="%d" y2="%d"><title>A/A noise: ±%s</title></line>`,
			x(-e.Noise), x(e.Noise), barH-3, barH-3, e.Size(e.Noise))
	}
	fmt.Fprintf(&b, `<line class="i %s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"><title>%s</title></line><circle class="i %s" cx="%.1f" cy="%d" r="4"/></svg>`,
		class(e), x(e.Low), max(x(e.High), x(e.Low)+1), barH/2, barH/2, e.Interval(), class(e), x(e.Change), barH/2)
	return template.HTML(b.String())
}

// class is how the page colours an effect.
func class(e *verdict.Effect) string {
	if e.Metric.Watch {
		return "none"
	}
	switch e.Result {
	case verdict.Better:
		return "better"
	case verdict.Worse:
		return "worse"
	case verdict.Equal:
		return "equal"
	}
	return "none"
}
