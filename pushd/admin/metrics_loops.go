package admin

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pushfleet/internal/hist"
	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

func loopMetrics(p *prom.Page, s *pushdapi.Stats) {
	each := func(name, help string, v func(*pushdapi.Loop) float64) {
		p.Family(name, "gauge", help)
		for i := range s.Loops {
			p.Sample(prom.Series(name, "loop", strconv.Itoa(s.Loops[i].Loop)), v(&s.Loops[i]))
		}
	}
	each("pushd_loop_connections", "Connections that the loop owns.", func(l *pushdapi.Loop) float64 { return float64(l.Conns) })
	each("pushd_loop_queued_messages", "Messages waiting in their queues.", func(l *pushdapi.Loop) float64 { return float64(l.Queued) })
	each("pushd_loop_inbox", "Items in the loop's inbox.", func(l *pushdapi.Loop) float64 { return float64(l.Inbox) })
	each("pushd_loop_turn_p99_seconds", "Time that 99 of 100 turns of the loop do not exceed.", func(l *pushdapi.Loop) float64 { return l.TurnP99 })
	p.Family("pushd_loop_delivered_rate", "gauge", "Data frames that the loop wrote per second, decayed over the window.")
	for i := range s.Loops {
		windowSamples(p, "pushd_loop_delivered_rate", `loop="`+strconv.Itoa(s.Loops[i].Loop)+`",`, s.Loops[i].Delivered)
	}
	p.Gauge("pushd_loops_silent", "Loops that did not answer in time; what is theirs is missing here.", float64(len(s.SilentLoop)))
	silentMetrics(p, s)
}

// silentMetrics names the silent loops, which are not among s.Loops.
func silentMetrics(p *prom.Page, s *pushdapi.Stats) {
	silent := map[int]float64{}
	for i := range s.Loops {
		silent[s.Loops[i].Loop] = 0
	}
	for _, loop := range s.SilentLoop {
		silent[loop] = 1
	}
	p.Family("pushd_loop_silent", "gauge", "1 if the loop did not answer in time.")
	for _, loop := range slices.Sorted(maps.Keys(silent)) {
		p.Sample(prom.Series("pushd_loop_silent", "loop", strconv.Itoa(loop)), silent[loop])
	}
}

// histogramHelp are the texts of the histograms that a node has.
func histogramHelp(name string) string {
	switch name {
	case "pushd_deliver_latency_seconds":
		return "From the server API having read a message to the socket having it."
	case "pushd_loop_turn_seconds":
		return "Duration of one turn of a loop."
	}
	return "Durations counted by the node."
}

// histogramMetrics writes the node's histograms, those of one family together.
func (a *API) histogramMetrics(p *prom.Page, _ *pushdapi.Stats) {
	if a.c.Histograms == nil {
		return
	}
	all := slices.DeleteFunc(slices.Clone(a.c.Histograms()), func(h Histogram) bool { return h.Log == nil })
	base := func(h Histogram) string {
		name, _, _ := strings.Cut(h.Name, "{")
		return name
	}
	slices.SortStableFunc(all, func(x, y Histogram) int { return strings.Compare(base(x), base(y)) })
	last := ""
	for _, h := range all {
		if name := base(h); name != last {
			p.Family(name, "histogram", histogramHelp(name))
			last = name
		}
		if h.Bounds == nil {
			h.Bounds = hist.LatencyBounds()
		}
		var b bytes.Buffer
		h.Log.WritePrometheus(&b, h.Name, h.Bounds) // a Buffer takes everything
		p.Held(b.Bytes())
	}
}
