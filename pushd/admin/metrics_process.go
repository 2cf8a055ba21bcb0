package admin

import (
	"runtime"

	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

// processMetrics are what the node knows of its process: its own view, and
// under the names that every Prometheus client uses, so that dashboards made
// for those work.
func (a *API) processMetrics(p *prom.Page, s *pushdapi.Stats) {
	u := &s.Process
	p.Gauge("pushd_fds", "Open file descriptors.", float64(u.FDs))
	p.Gauge("pushd_fds_max", "Limit of open file descriptors.", float64(u.FDMax))
	p.Counter("pushd_listen_overflows_total", "Connections that a full listen queue of this network namespace lost.", float64(u.ListenOverflows))
	p.Counter("pushd_voluntary_switches_total", "Times that a thread of the process gave up its processor.", float64(u.VoluntarySwitch))
	p.Gauge("pushd_gc_cpu_ratio", "Share (0 to 1) of the process's CPU that garbage collection took since the start.", u.GCPercent/100)
	p.Flag("pushd_gc_held", "1 while garbage collection is held back, see knob gc.hold_while_backlog.", u.GCHeld)
	p.Counter("pushd_cpu_user_seconds_total", "CPU in the program.", u.CPUUserSeconds)
	p.Counter("pushd_cpu_system_seconds_total", "CPU in the kernel.", u.CPUSystemSeconds)

	p.Counter("process_cpu_seconds_total", "CPU in program and kernel.", u.CPUUserSeconds+u.CPUSystemSeconds)
	p.Gauge("process_open_fds", "Open file descriptors.", float64(u.FDs))
	p.Gauge("process_max_fds", "Limit of open file descriptors.", float64(u.FDMax))
	p.Gauge("process_resident_memory_bytes", "Memory of the process, shared pages whole.", float64(s.Memory.RSSBytes))
	p.Gauge("process_start_time_seconds", "Unix time at which the node started.", a.startTime(s))
	p.Gauge("go_goroutines", "Goroutines.", float64(u.Goroutines))
	p.Info("go_info", "Always 1; the label says what built the program.", "version", runtime.Version())
}

// startTime is computed once: a value that trembles looks like restarts.
func (a *API) startTime(s *pushdapi.Stats) float64 {
	a.started.CompareAndSwap(0, s.At.UnixMilli()-int64(s.UptimeSeconds*1e3))
	return float64(a.started.Load()) / 1e3
}
