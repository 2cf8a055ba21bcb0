package follow

import (
	"maps"
	"slices"

	"pushfleet/internal/pushdapi"
)

// Figures are what guards may ask for, by name: rates per second, times in
// seconds, shares in percent, sizes in bytes; wait is the delivery
// latency over the last 10 to 20 s.
func Figures(s *pushdapi.Stats, r Recent) map[string]float64 {
	f := map[string]float64{
		"conns":             float64(s.Connections.Total),
		"queued":            float64(s.Queued.Messages),
		"queued.bytes":      float64(s.Queued.Bytes),
		"oldest":            s.Queued.OldestSeconds,
		"wait.p50":          s.Latency.P50,
		"wait.p99":          s.Latency.P99,
		"wait.p999":         s.Latency.P999,
		"wait.p50.10s":      s.Latency.P50,
		"wait.p99.10s":      s.Latency.P99,
		"wait.p999.10s":     s.Latency.P999,
		"cpu.10s":           s.Process.CPUPercent,
		"gc":                r.GCPercent,
		"gc.10s":            r.GCPercent,
		"sched.p99":         r.SchedP99,
		"sched.p99.10s":     r.SchedP99,
		"memory.bytes":      float64(s.Memory.RSSBytes),
		"memory.heap_bytes": float64(s.Memory.HeapBytes),
		"loops.silent":      float64(len(s.SilentLoop)),
	}
	for name, w := range map[string]pushdapi.Windows{
		"accepts": s.Connections.Accepted, "published": s.Published, "delivered": s.Delivered,
		"received": s.Received, "drops": s.Dropped, "closed": s.Closed, "queued": s.Queued.Level,
	} {
		f[name+".1s"], f[name+".10s"], f[name+".100s"] = w.S1, w.S10, w.S100
	}
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
	return slices.Sorted(maps.Keys(Figures(&pushdapi.Stats{}, Recent{})))
}
