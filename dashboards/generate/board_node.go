package main

// nodeBoard explains one node: its connections, its loops, its memory.
func nodeBoard() *board {
	b := newBoard("node", "Node", "One node from the inside: connections, loops, latency, memory. Choose the instance above.", "pushd_build_info")
	nodeChanges(b)
	b.add(4, statHeight, figure("Up for", look{unit: "s"}, `min(pushd_uptime_seconds$S)`))
	b.add(4, statHeight, figure("Connections", look{unit: "short"}, `sum(pushd_connections$S)`))
	b.add(4, statHeight, figure("Of the most allowed", look{unit: "percentunit", warn: []float64{0.8, 0.95}, decimals: 2, about: "Of the knob conns.max."},
		`max(sum by (job, instance) (pushd_connections$S) / on (job, instance) (pushd_connections_max$S > 0))`))
	b.add(4, statHeight, figure("Messages waiting", look{unit: "short"}, `sum(pushd_queued_messages$S)`))
	b.add(4, statHeight, figure("Oldest", look{unit: "s", warn: []float64{1, 5}, decimals: 3}, `max(pushd_queued_oldest_seconds$S)`))
	b.add(4, statHeight, figure("Silent loops", look{warn: []float64{1}, about: "Loops that did not answer the scrape in time. See pushctl stats."}, `sum(pushd_loops_silent$S)`))

	b.head("Connections")
	b.add(8, height, graph("By protocol", look{unit: "short", stack: true}, line{`sum by (proto) (pushd_connections$S)`, "{{proto}}"}))
	b.add(8, height, graph("Accepted and closed per second", look{unit: "short", about: "Decayed over 10 s."},
		line{`sum(pushd_accepted_rate{$s,window="10s"})`, "accepted"}, line{`sum(pushd_closed_rate{$s,window="10s"})`, "closed"}, line{`sum(pushd_connections_handshaking$S)`, "in their handshake"}))
	b.add(8, height, graph("Ended per second by reason", look{unit: "short", stack: true}, closed()))

	b.head("Messages")
	b.add(8, height, graph("Delivered per second: 1, 10 and 100 s", look{unit: "short", about: "The windows side by side: a burst lifts the short one first."}, line{`sum by (window) (pushd_delivered_rate$S)`, "{{window}}"}))
	b.add(8, height, graph("Bytes per second out", look{unit: "Bps"}, line{`sum by (instance) (rate(pushd_out_bytes_total$S[$__rate_interval]))`, "{{instance}}"}))
	b.add(8, height, graph("Writes", look{unit: "short", about: "Messages per write above 1: bursts leave together. Would wait: the socket did not take the write whole."},
		line{`sum(rate(pushd_delivered_total$S[$__rate_interval])) / clamp_min(sum(rate(pushd_writes_total$S[$__rate_interval])), 1)`, "messages per write"},
		line{`sum(rate(pushd_would_wait_total$S[$__rate_interval]))`, "would wait, per second"}))

	b.head("Loops")
	b.add(6, height, graph("Delivered per second by loop", look{unit: "short", about: "Loops share the work if these lie on each other."}, line{`pushd_loop_delivered_rate{$s,window="10s"}`, "{{instance}} {{loop}}"}))
	b.add(6, height, graph("Connections by loop", look{unit: "short"}, line{`pushd_loop_connections$S`, "{{instance}} {{loop}}"}))
	b.add(6, height, graph("Inbox by loop", look{unit: "short", soft: 10, about: "What waits for the loop itself. More than some thousands: the loop is the bottleneck."}, line{`pushd_loop_inbox$S`, "{{instance}} {{loop}}"}))
	b.add(6, height, graph("99 of 100 turns are shorter than", look{unit: "s", log: true}, line{`pushd_loop_turn_p99_seconds$S > 0`, "{{instance}} {{loop}}"}))

	b.head("Time")
	b.add(12, height, heat("Delivery latency", look{unit: "s", about: "From the server API having read a message to the socket having it."}, counts("pushd_deliver_latency_seconds", "$S")))
	b.add(12, height, heat("Turns of the loops", look{unit: "s", about: "A long turn makes all connections of its loop wait."}, counts("pushd_loop_turn_seconds", "$S")))

	b.head("Memory and descriptors")
	b.add(8, height, graph("Memory", look{unit: "bytes"}, line{`sum(pushd_memory_pss_bytes$S)`, "process (PSS)"}, line{`sum(pushd_memory_slab_bytes$S)`, "records and buffers"},
		line{`sum(pushd_memory_message_bytes$S)`, "messages"}, line{`sum(pushd_memory_heap_bytes$S)`, "Go heap"}))
	b.add(8, height, graph("Messages held, of the most allowed", look{unit: "percentunit", percent: true, about: "Of the knob memory.message_bytes_max."},
		line{`pushd_memory_message_bytes$S / (pushd_memory_message_max_bytes$S > 0)`, "{{instance}}"}))
	b.add(8, height, graph("Descriptors, of the most allowed", look{unit: "percentunit", percent: true, about: "pushctl doctor says what to change."}, line{`pushd_fds$S / (pushd_fds_max$S > 0)`, "{{instance}}"}))

	b.head("Around it")
	b.add(8, height, graph("Admin requests per second", look{unit: "short", stack: true}, line{`sum by (result) (rate(pushd_admin_requests_total$S[$__rate_interval])) > 0`, "{{result}}"}))
	b.add(8, height, graph("Recorder: time per second", look{unit: "percentunit", about: "Share of a core that recording takes. See pushctl rec status."}, line{`rate(pushd_recorder_seconds_total$S[$__rate_interval])`, "{{instance}}"}))
	b.add(8, height, graph("Recorder: disk", look{unit: "bytes", stack: true}, line{`sum by (ring) (pushd_recorder_disk_bytes$S)`, "{{ring}}"}))
	return b
}
