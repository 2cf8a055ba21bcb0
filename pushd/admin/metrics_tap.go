package admin

import (
	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

// tapMetrics tell whether somebody reads the node's traffic, what that costs
// and what was left out; and of a shadow what it did not let out.
func (a *API) tapMetrics(p *prom.Page, s *pushdapi.Stats) {
	var now, total pushdapi.Tap
	if a.c.Tap != nil {
		now, total = a.c.Tap.Status(), a.c.Tap.Total()
	}
	started := 0.0
	if now.Active {
		started = float64(now.Since.UnixMilli()) / 1e3
	} else {
		now = pushdapi.Tap{} // what follows is of the tee that reads
	}
	p.Flag("pushd_tap_active", "1 while a tee reads the node's traffic.", now.Active)
	p.Gauge("pushd_tap_started_timestamp_seconds", "Unix time at which the tee that reads began, 0 without one.", started)
	p.Gauge("pushd_tap_sample_percent", "Share of users that is mirrored.", now.Sample)
	p.Gauge("pushd_tap_connections", "Connections that are mirrored.", float64(now.Connections))
	p.Gauge("pushd_tap_buffer_bytes", "Bytes that wait for the reader of the tee.", float64(now.BufferBytes))
	p.Counters("pushd_tap_records_total", "Records handed to tees, by kind.", "kind", pushdapi.TapKinds(), total.Sent)
	p.Counters("pushd_tap_dropped_total", "Records that tees did not get, by reason.", "reason", pushdapi.TapDrops(), total.DroppedBy)
	p.Counter("pushd_tap_joined_total", "Connections that were open when a tee began to mirror them.", float64(total.Joined))
	p.Counter("pushd_tap_torn_total", "Connections that left a tee's sample because something of them was left out.", float64(total.Torn))
	p.Counter("pushd_tap_bytes_total", "Bytes handed to tees.", float64(total.Bytes))
	p.Counter("pushd_tap_cpu_seconds_total", "CPU that mirroring took, estimated.", total.CPUSeconds)
	p.Flag("pushd_shadow", "1 if the node is a shadow, which takes the clients of a tee only.", s.Shadow)
	p.Counters("pushd_shadow_cut_total", "What a shadow did not let out, by where to.", "what", pushdapi.ShadowCuts(), s.ShadowCut)
}
