package bench

import (
	"html/template"
	"io"
)

// Sheet is a set of charts over one span of time that is no run of the bench.
type Sheet struct {
	Title, Subtitle string
	Seconds         float64 // that the charts span
	Marks           []SheetMark
	Charts          []Chart
}

// SheetMark is a moment with a name, in seconds since the begin.
type SheetMark struct {
	At   float64
	Name string
}

// Chart is one chart of a Sheet.
type Chart struct {
	Title, Unit string
	Lines       []Line
}

// Line is one line of a Chart: X in seconds since the begin; a Y of NaN breaks
// it. Lines beyond the fourth begin with the first colour again.
type Line struct {
	Name string
	X, Y []float64
}

// report is the sheet in the form that draws: marks are the begins of phases.
func (s *Sheet) report() (*Report, []panel) {
	r := &Report{Title: s.Title, Samples: []Sample{{}}}
	for _, m := range s.Marks {
		r.Samples = append(r.Samples, Sample{Second: m.At, Phase: m.Name})
	}
	last := r.Samples[len(r.Samples)-1]
	r.Samples = append(r.Samples, Sample{Second: s.Seconds, Phase: last.Phase})
	var ps []panel
	for _, c := range s.Charts {
		p := panel{title: c.Title, unit: c.Unit}
		for i, l := range c.Lines {
			p.lines = append(p.lines, series{name: l.Name, colour: i % len(palette), x: l.X, y: l.Y})
		}
		ps = append(ps, p)
	}
	return r, ps
}

// WritePNG draws the charts in two columns.
func (s *Sheet) WritePNG(w io.Writer) error {
	r, ps := s.report()
	return r.writePNG(w, ps, s.Subtitle)
}

// WriteHTML writes the charts as one page that needs nothing else.
func (s *Sheet) WriteHTML(w io.Writer) error {
	r, ps := s.report()
	var charts []template.HTML
	for i := range ps {
		charts = append(charts, r.svg(&ps[i]))
	}
	page, err := template.New("sheet").Parse(sheetPage)
	if err != nil {
		return err
	}
	return page.Execute(w, struct {
		*Sheet
		SVG []template.HTML
	}{s, charts})
}

const sheetPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#66707c;--line:#e3e6ea}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--dim:#98a2ad;--line:#2a3038}}
body{margin:2rem auto;max-width:1180px;padding:0 1rem;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0}p{margin:.3rem 0}.dim{color:var(--dim)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1rem;margin:1.2rem 0}
svg{width:100%;height:auto}path{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
text{fill:var(--fg);font:12px system-ui,sans-serif}.title{font-weight:600;font-size:13px}.tick{fill:var(--dim);font-size:11px}
.grid{stroke:var(--line)}line.phase{stroke:var(--dim);stroke-dasharray:3 3}text.phase{fill:var(--dim);font-size:10px}
</style>
<h1>{{.Title}}</h1>
<p class="dim">{{.Subtitle}}</p>
<div class="charts">{{range .SVG}}{{.}}{{end}}</div>
{{range .Marks}}<p class="dim">{{printf "%.0f s" .At}} · {{.Name}}</p>{{end}}
</html>
`
