package main

// queuesBoard is about what waits: how much, how long, and how it will end.
func queuesBoard() *board {
	b := newBoard("queues", "Queues", "What waits for clients that read slowly: level, wait, drain, and what is dropped at the end.", "pushd_build_info")
	nodeChanges(b)
	const hour = "3600"
	wait := `pushd_queued_messages$S / ignoring (window) clamp_min(pushd_delivered_rate{$s,window="10s"}, 1)`
	drain := `clamp_max(pushd_queued_messages$S / clamp_min(-deriv(pushd_queued_messages$S[1m]), 0.001), ` + hour + `)`
	full := `clamp_max((pushd_memory_message_max_bytes$S - pushd_memory_message_bytes$S) / clamp_min(deriv(pushd_memory_message_bytes$S[1m]), 1), ` + hour + `)`

	b.add(4, statHeight, figure("Messages waiting", look{unit: "short"}, `sum(pushd_queued_messages$S)`))
	b.add(4, statHeight, figure("Bytes waiting", look{unit: "bytes"}, `sum(pushd_queued_bytes$S)`))
	b.add(4, statHeight, figure("Connections that wait", look{unit: "short", about: "pushctl top --by queued names them."}, `sum(pushd_queued_connections$S)`))
	b.add(4, statHeight, figure("Oldest", look{unit: "s", warn: []float64{1, 5}, decimals: 3}, `max(pushd_queued_oldest_seconds$S)`))
	b.add(4, statHeight, figure("Drained in", look{unit: "s", decimals: 2, about: "At the pace of the last minute; an hour stands for never."}, `max(`+drain+`)`))
	b.add(4, statHeight, figure("Full in", look{unit: "s", decimals: 2, warn: []float64{300, 900}, less: true, about: "Until messages take all of memory.message_bytes_max; an hour stands for never."}, `min(`+full+`)`))

	b.head("Level: 1, 10 and 100 s side by side")
	for _, w := range []string{"1s", "10s", "100s"} {
		b.add(8, height, graph("Waiting, mean over "+w, look{unit: "short", soft: 1, stack: true}, line{`pushd_queued_level_messages{$s,window="` + w + `"}`, "{{instance}}"}))
	}

	b.head("How long")
	b.add(8, height, graph("Wait", look{unit: "s", soft: 1, about: "Messages waiting divided by those delivered per second: what the newest one has before it, on average over the node."}, line{wait, "{{instance}}"}))
	b.add(8, height, graph("Oldest message", look{unit: "s", soft: 1}, line{`pushd_queued_oldest_seconds$S`, "{{instance}}"}))
	b.add(8, height, graph("Drain", look{unit: "s", soft: 1, about: "Time until the queues are empty at the pace of the last minute; an hour stands for never."}, line{drain, "{{instance}}"}))

	b.head("Who, and how it will end")
	b.add(8, height, graph("Connections near or at their limit", look{unit: "short", soft: 1, about: "Soft: queue.soft_percent of a limit. pushctl top --by queued names them."},
		line{`sum(pushd_queued_connections$S)`, "waiting"}, line{`sum(pushd_queued_over_soft_connections$S)`, "above the soft limit"}, line{`sum(pushd_queued_over_hard_connections$S)`, "at the limit"}))
	b.add(8, height, graph("Time to cap", look{unit: "s", about: "Until messages take all of memory.message_bytes_max, at the pace of the last minute; an hour stands for never."}, line{full, "{{instance}}"}))
	b.add(8, height, graph("Dropped per second: 1, 10 and 100 s", look{unit: "short", soft: 1}, line{`sum by (window) (pushd_dropped_rate$S)`, "{{window}}"}))

	b.head("Where the time goes")
	b.add(12, height+2, heat("Delivery latency", look{unit: "s", about: "From the server API having read a message to the socket having it. Two bands: those who read, and those who do not."}, counts("pushd_deliver_latency_seconds", "$S")))
	b.add(12, height+2, graph("Dropped per second by reason", look{unit: "short", soft: 1, stack: true, about: "Each reason is the same word in the log, the API and the close frame."},
		dropped()))
	return b
}
