package admin

import (
	"pushfleet/internal/prom"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

func (a *API) nodeMetrics(p *prom.Page, s *pushdapi.Stats) {
	p.Info("pushd_build_info", "Always 1; the labels say what runs.", "version", a.c.Version.Version, "go", a.c.Version.Go)
	p.Gauge("pushd_uptime_seconds", "Time since the node started.", s.UptimeSeconds)
	p.Flag("pushd_ready", "1 while the node should get new connections, as /readyz says.", a.c.Ready() == nil)
	p.Flag("pushd_draining", "1 while the node says goodbye to its connections.", s.State == "draining")
	p.Gauge("pushd_knob_revision", "Changes of knobs since the node started.", float64(s.KnobRevision))
	p.Gauge("pushd_knob_changed", "Knobs that are not as the node started with.", float64(s.KnobsChanged))
	p.Gauge("pushd_knob_fleet_revision", "Revision of the fleet's knobs that the node obeys, 0 without keepers.", float64(s.Follow.Revision))
	p.Gauge("pushd_knob_drift", "Knobs that differ from what the keepers want.", float64(len(s.Follow.Drift)))
	p.Flag("pushd_keeper_connected", "1 while the node has a session with the leading keeper.", s.Follow.Connected)
	p.Gauge("pushd_users", "Users with a connection.", float64(s.Users))
	p.Gauge("pushd_groups", "Groups with a member.", float64(s.Groups))
}

func connMetrics(p *prom.Page, s *pushdapi.Stats) {
	c := &s.Connections
	p.Family("pushd_connections", "gauge", "Open connections past their handshake, by protocol.")
	for proto := push.ProtoNone + 1; proto < push.ProtoCount; proto++ {
		p.Sample(prom.Series("pushd_connections", "proto", proto.String()), float64(c.ByProto[proto.String()]))
	}
	p.Gauge("pushd_connections_handshaking", "Connections whose handshake is not finished.", float64(c.Handshaking))
	p.Gauge("pushd_connections_max", "Knob conns.max: more are refused.", float64(c.Max))
	p.Counter("pushd_accepted_total", "Connections accepted.", float64(s.Totals.Accepted))
	windows(p, "pushd_accepted_rate", "Connections accepted per second, decayed over the window.", c.Accepted)
	windows(p, "pushd_closed_rate", "Connections ended per second, decayed over the window.", s.Closed)
}

func messageMetrics(p *prom.Page, s *pushdapi.Stats) {
	t := &s.Totals
	p.Counter("pushd_published_total", "Messages accepted by the server API.", float64(t.Published))
	p.Counter("pushd_absent_total", "Sends to a user without a connection.", float64(t.Absent))
	p.Counter("pushd_kept_total", "Sends to an absent user that were held for its resumption; part of absent.", float64(t.Kept))
	p.Counter("pushd_delivered_total", "Data frames written to sockets.", float64(t.Delivered))
	p.Counter("pushd_out_bytes_total", "Bytes written to sockets.", float64(t.BytesOut))
	p.Counter("pushd_received_total", "Messages received from clients.", float64(t.Received))
	p.Counter("pushd_pings_total", "Heartbeats sent.", float64(t.Pings))
	p.Counter("pushd_writes_total", "Write system calls on client sockets.", float64(t.Writes))
	p.Counter("pushd_would_wait_total", "Writes that the socket did not take whole.", float64(t.WouldWait))
	p.Counter("pushd_uplink_none_total", "Client messages with no back end to go to.", float64(t.UplinkNo))
	windows(p, "pushd_published_rate", "Messages accepted per second, decayed over the window.", s.Published)
	windows(p, "pushd_delivered_rate", "Data frames written per second, decayed over the window.", s.Delivered)
	windows(p, "pushd_out_bytes_rate", "Bytes written per second, decayed over the window.", s.BytesOut)
	windows(p, "pushd_received_rate", "Client messages per second, decayed over the window.", s.Received)
	windows(p, "pushd_dropped_rate", "Messages dropped per second, decayed over the window.", s.Dropped)
}

func reasonMetrics(p *prom.Page, s *pushdapi.Stats) {
	var drops []string
	for r := push.DropNone + 1; r < push.DropReasonCount; r++ {
		drops = append(drops, r.String())
	}
	p.Counters("pushd_dropped_total", "Messages that did not reach a connection, by reason.", "reason", drops, s.DroppedBy)
	p.Counters("pushd_closed_total", "Connections ended, by reason.", "reason", push.CloseReasonNames(), s.ClosedBy)
}

func queueMetrics(p *prom.Page, s *pushdapi.Stats) {
	q := &s.Queued
	p.Gauge("pushd_queued_messages", "Messages waiting in the queues of all connections.", float64(q.Messages))
	p.Gauge("pushd_queued_bytes", "Their bytes.", float64(q.Bytes))
	windows(p, "pushd_queued_level_messages", "Mean of messages waiting, decayed over the window.", q.Level)
	p.Gauge("pushd_queued_oldest_seconds", "Age of the oldest message waiting.", q.OldestSeconds)
	p.Gauge("pushd_queued_connections", "Connections with messages waiting.", float64(q.Conns))
	p.Gauge("pushd_queued_over_soft_connections", "Connections above queue.soft_percent of a limit.", float64(q.OverSoft))
	p.Gauge("pushd_queued_over_hard_connections", "Connections at a limit of their queue.", float64(q.OverHard))
}

func memoryMetrics(p *prom.Page, s *pushdapi.Stats) {
	m := &s.Memory
	p.Gauge("pushd_memory_pss_bytes", "Memory of the process, shared pages in part.", float64(m.PSSBytes))
	p.Gauge("pushd_memory_rss_bytes", "Memory of the process, shared pages whole.", float64(m.RSSBytes))
	p.Gauge("pushd_memory_heap_bytes", "Objects on the Go heap.", float64(m.HeapBytes))
	p.Gauge("pushd_memory_slab_bytes", "Records, columns and buffers outside the heap, in use.", float64(m.SlabBytes))
	p.Gauge("pushd_memory_message_bytes", "Messages held by queues and replay rings.", float64(m.MessageBytes))
	p.Gauge("pushd_memory_message_max_bytes", "Knob memory.message_bytes_max.", float64(m.MessageBytesMax))
	p.Gauge("pushd_memory_per_connection_bytes", "PSS divided by connections, 0 without any.", float64(m.PerConnBytes))
}
