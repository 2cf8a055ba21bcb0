package admin

import (
	"fmt"

	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

// windows writes a gauge per window.
func windows(p *prom.Page, name, help string, w pushdapi.Windows) {
	p.Family(name, "gauge", help)
	windowSamples(p, name, "", w)
}

// windowSamples writes the samples of windows; labels, if any, end with a comma.
func windowSamples(p *prom.Page, name, labels string, w pushdapi.Windows) {
	for _, seconds := range []int{1, 10, 100} {
		p.Sample(fmt.Sprintf(`%s{%swindow="%ds"}`, name, labels, seconds), w.Of(seconds))
	}
}
