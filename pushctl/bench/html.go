package bench

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
)

// trimZeros prints a small number without zeros at its end.
func trimZeros(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// Sizes of one SVG panel, in its own units.
const (
	svgW, svgH             = 560, 230
	svgLeft, svgRight      = 52, 12
	svgTop, svgBottom      = 40, 26
	svgPlotW, svgPlotH     = svgW - svgLeft - svgRight, svgH - svgTop - svgBottom
	svgPointsMax       int = 2000
)

// svg draws one panel.
func (r *Report) svg(p *panel) template.HTML {
	var b strings.Builder
	lowX, highX := r.spanX()
	lowY, highY, ticks := p.axis()
	x := func(v float64) float64 { return svgLeft + (v-lowX)/(highX-lowX)*svgPlotW }
	y := func(v float64) float64 {
		f := (v - lowY) / (highY - lowY)
		if p.log {
			f = math.Log(v/lowY) / math.Log(highY/lowY)
		}
		return svgTop + svgPlotH - f*svgPlotH
	}
	title := p.title
	if p.unit != "" {
		title += ", " + p.unit
	}
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, svgW, svgH, template.HTMLEscapeString(title))
	fmt.Fprintf(&b, `<text class="title" x="%d" y="16">%s</text>`, svgLeft, template.HTMLEscapeString(title))
	r.svgPhases(&b, x)
	for _, v := range ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="tick" text-anchor="end" x="%d" y="%.1f">%s</text>`,
			svgLeft, svgW-svgRight, y(v), y(v), svgLeft-6, y(v)+4, tickText(v))
	}
	step := niceStep(highX / 8)
	for v := 0.0; v <= highX; v += step {
		text := tickText(v)
		if v+step > highX {
			text += " s"
		}
		fmt.Fprintf(&b, `<text class="tick" text-anchor="middle" x="%.1f" y="%d">%s</text>`, x(v), svgH-8, text)
	}
	at := float64(svgLeft)
	for _, l := range p.lines {
		fmt.Fprintf(&b, `<path d="%s" stroke="%s"><title>%s</title></path>`, path(&l, x, y), palette[l.colour], l.name)
		fmt.Fprintf(&b, `<rect x="%.0f" y="24" width="14" height="3" fill="%s"/><text class="tick" x="%.0f" y="29">%s</text>`,
			at, palette[l.colour], at+19, l.name)
		at += 36 + 6.5*float64(len(l.name))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// svgPhases marks the begin of each phase but the first.
func (r *Report) svgPhases(b *strings.Builder, x func(float64) float64) {
	at, names := r.phases()
	for i := 1; i < len(at); i++ {
		fmt.Fprintf(b, `<line class="phase" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text class="phase" x="%.1f" y="%d">%s</text>`,
			x(at[i]), x(at[i]), svgTop, svgTop+svgPlotH, x(at[i])+3, svgTop+10, names[i])
	}
}

// path is the d attribute of a line, thinned to svgPointsMax points; a lone
// point between gaps becomes a dot.
func path(l *series, x, y func(float64) float64) string {
	var b strings.Builder
	step := max(1, len(l.x)/svgPointsMax)
	pen := byte('M')
	for i := 0; i < len(l.x); i += step {
		if math.IsNaN(l.y[i]) {
			pen = 'M'
			continue
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", pen, x(l.x[i]), y(l.y[i]))
		if pen == 'M' {
			b.WriteString("h0")
		}
		pen = 'L'
	}
	return b.String()
}

var htmlPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"value": func(f Figure) string { return value(f.Value, f.Unit) },
	"words": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.R.Title}}</title>
<style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#66707c;--line:#e3e6ea;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--dim:#98a2ad;--line:#2a3038;--bad:#ff8a80}}
body{margin:2rem auto;max-width:1180px;padding:0 1rem;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0}p{margin:.3rem 0}.dim{color:var(--dim)}.bad{color:var(--bad);font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1rem;margin:1.2rem 0}
svg{width:100%;height:auto}path{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
text{fill:var(--fg);font:12px system-ui,sans-serif}.title{font-weight:600;font-size:13px}.tick{fill:var(--dim);font-size:11px}
.grid{stroke:var(--line)}line.phase{stroke:var(--dim);stroke-dasharray:3 3}text.phase{fill:var(--dim);font-size:10px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));column-gap:2rem}
.figures div{display:flex;justify-content:space-between;border-bottom:1px solid var(--line);padding:.15rem 0}
.figures b{font-variant-numeric:tabular-nums;font-weight:600}
</style>
<h1>{{.R.Title}}</h1>
<p class="dim">{{.R.At.Format "2006-01-02 15:04:05 MST"}} · node {{or .R.Node "–"}} {{.R.Version}} · {{.R.Machine.CPUs}} × {{.R.Machine.CPU}} · kernel {{.R.Machine.Kernel}}</p>
{{with .R.Plan}}<p class="dim">plan: {{.}}</p>{{end}}
{{range .R.Wrong}}<p class="bad">Wrong: {{.}}</p>{{end}}
{{range .R.Invalid}}<p class="bad">Not valid: {{.}}</p>{{end}}
{{if not .R.Invalid}}<p>Valid: the generator was in time and reached its rate.</p>{{end}}
{{range .R.Notes}}<p>Note: {{.}}</p>{{end}}
{{with .R.Ended}}<p class="bad">Ended early: {{.}}</p>{{end}}
<div class="charts">{{range .Charts}}{{.}}{{end}}</div>
<div class="figures">{{range .R.Figures}}<div><span>{{words .Name}}</span><b>{{value .}}</b></div>{{end}}</div>
</html>
`))

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	var charts []template.HTML
	for _, p := range r.panels() {
		charts = append(charts, r.svg(&p))
	}
	return htmlPage.Execute(w, struct {
		R      *Report
		Charts []template.HTML
	}{r, charts})
}
