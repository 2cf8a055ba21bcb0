package admin

import (
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

func (a *API) nodeMetrics(p *page, s *pushdapi.Stats) {
	p.family("pushd_build_info", "gauge", "Always 1; the labels say what runs.")
	p.b.WriteString(series("pushd_build_info", "version", a.c.Version.Version, "go", a.c.Version.Go) + " 1\n")
	p.gauge("pushd_uptime_seconds", "Time since the node started.", s.UptimeSeconds)
	p.flag("pushd_ready", "1 while the node should get new connections, as /readyz says.", a.c.Ready() == nil)
	p.flag("pushd_draining", "1 while the node says goodbye to its connections.", s.State == "draining")
	p.gauge("pushd_knob_revision", "Changes of knobs since the node started.", float64(s.KnobRevision))
	p.gauge("pushd_knob_fleet_revision", "Revision of the fleet's knobs that the node obeys, 0 without keepers.", float64(s.Follow.Revision))
	p.gauge("pushd_knob_drift", "Knobs that differ from what the keepers want.", float64(len(s.Follow.Drift)))
	p.flag("pushd_keeper_connected", "1 while the node has a session with the leading keeper.", s.Follow.Connected)
	p.gauge("pushd_users", "Users with a connection.", float64(s.Users))
	p.gauge("pushd_groups", "Groups with a member.", float64(s.Groups))
}

func connMetrics(p *page, s *pushdapi.Stats) {
	c := &s.Connections
	p.family("pushd_connections", "gauge", "Open connections past their handshake, by protocol.")
	for proto := push.ProtoNone + 1; proto < push.ProtoCount; proto++ {
		p.sample(series("pushd_connections", "proto", proto.String()), float64(c.ByProto[proto.String()]))
	}
	p.gauge("pushd_connections_handshaking", "Connections whose handshake is not finished.", float64(c.Handshaking))
	p.gauge("pushd_connections_max", "Knob conns.max: more are refused.", float64(c.Max))
	p.gauge("pushd_tap_sampled_connections", "Connections in the sample of the tap, knob tap.sample_percent.", float64(c.Sampled))
	p.counter("pushd_accepted_total", "Connections accepted.", float64(s.Totals.Accepted))
	p.windows("pushd_accepted_rate", "Connections accepted per second, decayed over the window.", c.Accepted)
	p.windows("pushd_closed_rate", "Connections ended per second, decayed over the window.", s.Closed)
}

func messageMetrics(p *page, s *pushdapi.Stats) {
	t := &s.Totals
	p.counter("pushd_published_total", "Messages accepted by the server API.", float64(t.Published))
	p.counter("pushd_absent_total", "Sends to a user without a connection.", float64(t.Absent))
	p.counter("pushd_kept_total", "Sends to an absent user that were held for its resumption; part of absent.", float64(t.Kept))
	p.counter("pushd_delivered_total", "Data frames written to sockets.", float64(t.Delivered))
	p.counter("pushd_out_bytes_total", "Bytes written to sockets.", float64(t.BytesOut))
	p.counter("pushd_received_total", "Messages received from clients.", float64(t.Received))
	p.counter("pushd_pings_total", "Heartbeats sent.", float64(t.Pings))
	p.counter("pushd_writes_total", "Write system calls on client sockets.", float64(t.Writes))
	p.counter("pushd_would_wait_total", "Writes that the socket did not take whole.", float64(t.WouldWait))
	p.counter("pushd_uplink_none_total", "Client messages with no back end to go to.", float64(t.UplinkNo))
	p.windows("pushd_published_rate", "Messages accepted per second, decayed over the window.", s.Published)
	p.windows("pushd_delivered_rate", "Data frames written per second, decayed over the window.", s.Delivered)
	p.windows("pushd_out_bytes_rate", "Bytes written per second, decayed over the window.", s.BytesOut)
	p.windows("pushd_received_rate", "Client messages per second, decayed over the window.", s.Received)
	p.windows("pushd_dropped_rate", "Messages dropped per second, decayed over the window.", s.Dropped)
}

func reasonMetrics(p *page, s *pushdapi.Stats) {
	var drops []string
	for r := push.DropNone + 1; r < push.DropReasonCount; r++ {
		drops = append(drops, r.String())
	}
	p.counters("pushd_dropped_total", "Messages that did not reach a connection, by reason.", "reason", drops, s.DroppedBy)
	p.counters("pushd_closed_total", "Connections ended, by reason.", "reason", push.CloseReasonNames(), s.ClosedBy)
}

func queueMetrics(p *page, s *pushdapi.Stats) {
	q := &s.Queued
	p.gauge("pushd_queued_messages", "Messages waiting in the queues of all connections.", float64(q.Messages))
	p.gauge("pushd_queued_bytes", "Their bytes.", float64(q.Bytes))
	p.windows("pushd_queued_level_messages", "Mean of messages waiting, decayed over the window.", q.Level)
	p.gauge("pushd_queued_oldest_seconds", "Age of the oldest message waiting.", q.OldestSeconds)
	p.gauge("pushd_queued_connections", "Connections with messages waiting.", float64(q.Conns))
	p.gauge("pushd_queued_over_soft_connections", "Connections above queue.soft_percent of a limit.", float64(q.OverSoft))
	p.gauge("pushd_queued_over_hard_connections", "Connections at a limit of their queue.", float64(q.OverHard))
}

func memoryMetrics(p *page, s *pushdapi.Stats) {
	m := &s.Memory
	p.gauge("pushd_memory_pss_bytes", "Memory of the process, shared pages in part.", float64(m.PSSBytes))
	p.gauge("pushd_memory_rss_bytes", "Memory of the process, shared pages whole.", float64(m.RSSBytes))
	p.gauge("pushd_memory_heap_bytes", "Objects on the Go heap.", float64(m.HeapBytes))
	p.gauge("pushd_memory_slab_bytes", "Records, columns and buffers outside the heap, in use.", float64(m.SlabBytes))
	p.gauge("pushd_memory_message_bytes", "Messages held by queues and replay rings.", float64(m.MessageBytes))
	p.gauge("pushd_memory_message_max_bytes", "Knob memory.message_bytes_max.", float64(m.MessageBytesMax))
	p.gauge("pushd_memory_per_connection_bytes", "PSS divided by connections, 0 without any.", float64(m.PerConnBytes))
}
