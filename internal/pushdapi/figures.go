package pushdapi

// Figures are what conditions on a node may ask for, by name: rates per second,
// times in seconds, shares in percent, sizes in bytes; wait is the delivery
// latency over the last 10 to 20 s.
func (s *Stats) Figures() map[string]float64 {
	f := map[string]float64{
		"conns":             float64(s.Connections.Total),
		"queued":            float64(s.Queued.Messages),
		"queued.bytes":      float64(s.Queued.Bytes),
		"oldest":            s.Queued.OldestSeconds,
		"wait.p50":          s.Latency.P50,
		"wait.p99":          s.Latency.P99,
		"wait.p999":         s.Latency.P999,
		"cpu.10s":           s.Process.CPUPercent,
		"memory.bytes":      float64(s.Memory.RSSBytes),
		"memory.heap_bytes": float64(s.Memory.HeapBytes),
		"loops.silent":      float64(len(s.SilentLoop)),
	}
	for name, w := range map[string]Windows{
		"accepts": s.Connections.Accepted, "published": s.Published, "delivered": s.Delivered,
		"received": s.Received, "drops": s.Dropped, "closed": s.Closed, "queued": s.Queued.Level,
	} {
		f[name+".1s"], f[name+".10s"], f[name+".100s"] = w.S1, w.S10, w.S100
	}
	return f
}
