package report

import (
	"fmt"
	"html/template"
)

// chance writes a probability.
func chance(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

var page = template.Must(template.New("report").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#66707c;--line:#e3e6ea;--soft:#f3f5f7;
--better:#00795a;--worse:#b3261e;--equal:#4a6fa5;--unsure:#8a6100;--prod:#a56cc1;--a:#0072b2;--b:#e08a00;--tried:#e69f0022}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--dim:#98a2ad;--line:#2a3038;--soft:#1c2127;
--better:#4cc38a;--worse:#ff8a80;--equal:#8fb4e8;--unsure:#e6b450;--prod:#b88ad0;--a:#56b4e9;--b:#f0a93a;--tried:#e69f001f}}
body{margin:2rem auto;max-width:1240px;padding:0 1rem;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.3rem;margin:0 0 .8rem}h2{font-size:1.05rem;margin:1.6rem 0 .5rem}p{margin:.3rem 0}.dim{color:var(--dim)}
.result{border-left:5px solid;padding:.5rem .9rem;background:var(--soft);margin:.6rem 0}
.result b{text-transform:uppercase;letter-spacing:.04em;margin-right:.5rem}
.better{color:var(--better)}.worse{color:var(--worse)}.equal{color:var(--equal)}.unsure{color:var(--unsure)}.none{color:var(--dim)}
.result span{color:var(--fg)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;color:var(--dim);text-align:right;font-size:.85rem;padding:.2rem .36rem;vertical-align:bottom;white-space:nowrap}
td{text-align:right;padding:.22rem .36rem;border-top:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child,.left{text-align:left}tr.watch td{color:var(--dim)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:1rem;margin:.6rem 0}
svg{width:100%;height:auto;display:block}svg.bar{width:150px;height:22px}
path{fill:none;stroke-width:1;stroke-linejoin:round}path.p{stroke:var(--prod);opacity:.7}path.s{stroke:var(--fg);opacity:.35}path.c{stroke:var(--a);opacity:.6}
rect.p{fill:var(--prod)}rect.s{fill:var(--fg);opacity:.45}rect.c{fill:var(--a)}
rect.b{fill:var(--tried)}rect.x{fill:var(--worse);opacity:.2}
.ma,.mb{stroke-width:2.6}.ma{stroke:var(--a)}.mb{stroke:var(--b)}
text{fill:var(--fg);font:12px system-ui,sans-serif}.title{font-weight:600;font-size:13px}.tick{fill:var(--dim);font-size:11px}
.grid{stroke:var(--line)}line.phase{stroke:var(--dim);stroke-dasharray:3 3}text.phase{fill:var(--dim);font-size:10px}
.same{fill:var(--dim);opacity:.16}.zero{stroke:var(--dim);stroke-width:.7}.noise{stroke:var(--dim);stroke-width:1.6;stroke-dasharray:2 2}
line.i{stroke:currentColor;stroke-width:2.4}circle.i{fill:currentColor}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.key i{display:inline-block;width:1.1em;height:.7em;margin:0 .35em 0 .9em}
</style>
<h1>{{.Title}}</h1>
<div class="result {{.Class}}"><b>{{.Heading}}</b><span>{{.R.Why}}</span></div>
{{range .Ended}}<p>{{.}}</p>{{end}}
{{range .Trials}}<h2>{{if .Name}}{{.Name}} <span class="{{.Class}}">{{.Result}}{{if .Best}}, best{{end}}</span>{{else}}Effects{{end}}</h2>
{{if $.Sweep}}<p>{{.Why}}</p>{{end}}
<div class="wide"><table><tr><th></th><th>production</th><th>as is</th><th>tried</th><th>change</th><th>95 %</th><th></th><th class="left">verdict</th><th>A/A noise</th><th>could see</th><th>by chance</th><th>windows</th></tr>
{{range .Rows}}<tr{{if .Watch}} class="watch"{{end}}{{if .Why}} title="{{.Why}}"{{end}}><td>{{.Title}}</td><td>{{.Production}}</td><td>{{.Control}}</td><td>{{.Treatment}}</td><td><b>{{.Change}}</b></td><td>{{.Interval}}</td><td>{{.Bar}}</td><td class="left {{.Class}}">{{.Word}}</td><td>{{.Noise}}</td><td>{{.Detectable}}</td><td>{{.P}}</td><td>{{.Windows}}</td></tr>
{{end}}</table></div>
{{range .Silent}}<p class="dim">{{.}}</p>{{end}}
{{end}}
{{with .Trials}}<p class="dim">Change is between the windows of both settings on the shadow, less what production shared of it; levels are as measured, and one that could be seen is found 9 times of 10.
Grey bands are changes too small to matter, dashed lines what this pair of machines calls a difference when nothing differs.
"By chance" is over all metrics together; what stands in parentheses has no say.</p>{{end}}
{{range .Trials}}{{if .AA}}<h2>A/A: nothing changed{{if .AAClean}}, and nothing was found{{end}}</h2>
<div class="wide"><table><tr><th></th><th>half of the windows</th><th>the other half</th><th>difference</th><th>95 %</th><th></th><th class="left">verdict</th><th>windows</th></tr>
{{range .AA}}<tr{{if .Watch}} class="watch"{{end}}><td>{{.Title}}</td><td>{{.Control}}</td><td>{{.Treatment}}</td><td>{{.Change}}</td><td>{{.Interval}}</td><td>{{.Bar}}</td><td class="left {{.Class}}">{{.Word}}</td><td>{{.Windows}}</td></tr>
{{end}}</table></div>{{end}}{{end}}
{{if .Charts}}<h2>Over time</h2>
<p class="dim key">The shadow's windows<i style="background:var(--a)"></i>as is<i style="background:var(--b)"></i>tried{{if .R.Excluded}}<i style="background:var(--worse);opacity:.3"></i>not counted{{end}}</p>
<div class="charts">{{range .Charts}}{{.}}{{end}}</div>{{end}}
{{with .Safety}}<h2>What it cost production</h2><dl>{{range .}}<dt>{{.Name}}</dt><dd>{{.Text}}</dd>{{end}}</dl>{{end}}
{{with .Books}}<h2>What was replayed</h2>
<div class="wide"><table><tr><th></th><th class="left">record</th><th>read</th><th>replayed</th><th>dropped</th><th class="left">why</th><th>pending</th></tr>
{{range .}}<tr><td>{{.Side}}</td><td class="left">{{.Kind}}</td><td>{{.Read}}</td><td>{{.Replayed}}</td><td>{{.Dropped}}</td><td class="left">{{.Why}}</td><td>{{.Pending}}</td></tr>
{{end}}</table></div>{{end}}
{{with .R.Excluded}}<h2>What does not count</h2><dl>{{range .}}<dt>{{printf "%.0f to %.0f s" .From .To}}</dt><dd>{{.Why}}</dd>{{end}}</dl>{{end}}
<h2>Settings</h2><dl>{{range .Facts}}<dt>{{.Name}}</dt><dd>{{.Text}}</dd>{{end}}</dl>
</html>
`))
