package follow

import (
	"maps"
	"slices"

	"pushfleet/internal/pushdapi"
)

// Figures are what guards may ask for: those of the node's statistics and of its
// recorder.
func Figures(s *pushdapi.Stats) map[string]float64 {
	f := s.Figures()
	for _, name := range []string{"wait.p50", "wait.p99", "wait.p999"} {
		f[name+".10s"] = f[name]
	}
	f["gc"], f["gc.10s"] = s.Process.GCPercent10, s.Process.GCPercent10
	f["sched.p99"], f["sched.p99.10s"] = s.Process.SchedP99, s.Process.SchedP99
	return f
}

// Load sums a node up in a few figures, by the names that guards use.
func Load(figures map[string]float64) map[string]float64 {
	load := map[string]float64{}
	for _, name := range []string{"conns", "published.10s", "queued", "drops.10s"} {
		if v, ok := figures[name]; ok {
			load[name] = v
		}
	}
	if v, ok := figures["cpu.10s"]; ok {
		load["cpu"] = v
	}
	return load
}

// Names lists what guards may ask for.
func Names() []string {
	return slices.Sorted(maps.Keys(Figures(&pushdapi.Stats{})))
}
