package main

// fleetBoard answers: are all nodes well, and which one is not?
func fleetBoard() *board {
	b := newBoard("fleet", "Fleet", "All nodes at a glance: what is served, what waits, what is lost, and where.", "pushd_build_info")
	nodeChanges(b)
	b.add(4, statHeight, figure("Nodes ready", look{about: "Nodes that take new connections.", warn: []float64{1}, less: true}, `sum(pushd_ready$S)`))
	b.add(4, statHeight, figure("Connections", look{unit: "short"}, `sum(pushd_connections$S)`))
	b.add(4, statHeight, figure("Delivered per second", look{unit: "short"}, `sum(rate(pushd_delivered_total$S[$__rate_interval]))`))
	b.add(4, statHeight, figure("Dropped per second", look{unit: "short", warn: []float64{0.1, 10}, decimals: 2, about: "Messages that reached no connection. pushctl top --by drops names the connections."},
		`sum(rate(pushd_dropped_total$S[$__rate_interval]))`))
	b.add(4, statHeight, figure("Oldest message waiting", look{unit: "s", warn: []float64{1, 5}, decimals: 3, about: "The worst node. pushctl top --by wait says for whom it waits."}, `max(pushd_queued_oldest_seconds$S)`))
	b.add(4, statHeight, figure("Knob drift", look{warn: []float64{1, 5}, about: "Knobs that differ from what the keepers want. See pushctl knob drift."}, `sum(pushd_knob_drift$S)`))

	b.head("What is served")
	b.add(8, height, graph("Connections by node", look{unit: "short", stack: true}, line{`sum by (instance) (pushd_connections$S)`, "{{instance}}"}))
	b.add(8, height, graph("Delivered per second by node", look{unit: "short", stack: true}, line{`sum by (instance) (rate(pushd_delivered_total$S[$__rate_interval]))`, "{{instance}}"}))
	b.add(8, height, graph("Published, absent and received per second", look{unit: "short", about: "Absent: sends to a user without a connection."},
		line{`sum(rate(pushd_published_total$S[$__rate_interval]))`, "published"},
		line{`sum(rate(pushd_absent_total$S[$__rate_interval]))`, "absent"},
		line{`sum(rate(pushd_received_total$S[$__rate_interval]))`, "received from clients"}))

	b.head("How fast, how surely")
	b.add(8, height, graph("Delivery latency", look{unit: "s", log: true, about: "From the server API having read a message to the socket having it, over all nodes."},
		quantiles("pushd_deliver_latency_seconds", "$S")...))
	b.add(8, height, graph("Oldest message waiting by node", look{unit: "s", soft: 1}, line{`pushd_queued_oldest_seconds$S`, "{{instance}}"}))
	b.add(8, height, graph("Delivered within 1 s", look{unit: "percentunit", percent: true, about: "Share of delivered messages; messages that still wait are not in it."},
		line{`sum(rate(pushd_deliver_latency_seconds_bucket{$s,le="1"}[$__rate_interval])) / clamp_min(sum(rate(pushd_deliver_latency_seconds_count$S[$__rate_interval])), 1e-9)`, "within 1 s"}))

	b.head("What is lost, who comes and goes")
	b.add(8, height, graph("Dropped per second by reason", look{unit: "short", soft: 1, stack: true}, dropped()))
	b.add(8, height, graph("Closed per second by reason", look{unit: "short", stack: true}, closed()))
	b.add(8, height, graph("Accepted per second by node", look{unit: "short", stack: true, about: "A reconnect storm is seen here first."}, line{`sum by (instance) (rate(pushd_accepted_total$S[$__rate_interval]))`, "{{instance}}"}))

	b.head("What it costs")
	b.add(8, height, graph("CPU by node", look{unit: "short", about: "Cores in use by the process. CPU alone does not say whether a node is busy: see the run queue in Runtime and kernel."},
		line{`rate(pushd_cpu_user_seconds_total$S[$__rate_interval]) + rate(pushd_cpu_system_seconds_total$S[$__rate_interval])`, "{{instance}}"}))
	b.add(8, height, graph("Memory by node", look{unit: "bytes", about: "Proportional set size."}, line{`pushd_memory_pss_bytes$S`, "{{instance}}"}))
	b.add(8, height, graph("Memory per connection", look{unit: "bytes"}, line{`pushd_memory_per_connection_bytes$S`, "{{instance}}"}))

	b.head("Node by node")
	b.add(gridWidth, height, table("Nodes", look{},
		column{`sum by (instance) (pushd_ready$S)`, "ready", ""},
		column{`sum by (instance) (pushd_connections$S)`, "connections", ""},
		column{`sum by (instance) (rate(pushd_delivered_total$S[1m]))`, "delivered/s", "short"},
		column{`sum by (instance) (rate(pushd_dropped_total$S[1m]))`, "dropped/s", "short"},
		column{`sum by (instance) (pushd_queued_messages$S)`, "waiting", ""},
		column{`sum by (instance) (pushd_queued_oldest_seconds$S)`, "oldest", "s"},
		column{`sum by (instance) (rate(pushd_cpu_user_seconds_total$S[1m]) + rate(pushd_cpu_system_seconds_total$S[1m]))`, "cores", "short"},
		column{`sum by (instance) (pushd_memory_pss_bytes$S)`, "memory", "bytes"},
		column{`sum by (instance) (pushd_knob_fleet_revision$S)`, "knobs at", ""},
		column{`sum by (instance) (pushd_knob_drift$S)`, "drift", ""},
		column{`sum by (instance) (pushd_uptime_seconds$S)`, "up for", "s"}))
	return b
}

// dropped and closed are lines per reason, of those that occur and of the most
// usual one.
func dropped() line { return byReason("pushd_dropped_total", "overflow") }

func closed() line { return byReason("pushd_closed_total", "slow") }

func byReason(name, usual string) line {
	rate := func(selector string) string {
		return "sum by (reason) (rate(" + name + selector + "[$__rate_interval]))"
	}
	return line{rate("$S") + " > 0 or " + rate(`{$s,reason="`+usual+`"}`), "{{reason}}"}
}

// nodeChanges marks when knobs changed on a chosen node.
func nodeChanges(b *board) {
	b.knobChanges(`changes(pushd_knob_revision$S[1m]) > 0`, "knobs changed on {{instance}}", "pushctl knob history NAME says who and why")
}

// quantiles are lines of a histogram over all that the selector chooses.
func quantiles(name, selector string) []line {
	var out []line
	for _, q := range []struct{ q, legend string }{{"0.5", "half"}, {"0.99", "99 %"}, {"0.999", "99.9 %"}} {
		out = append(out, line{`histogram_quantile(` + q.q + `, sum by (le) (rate(` + name + `_bucket` + selector + `[$__rate_interval])))`, q.legend})
	}
	return out
}

// counts is the expression of a heat map: how many per bucket.
func counts(name, selector string) string {
	return `sum by (le) (increase(` + name + `_bucket` + selector + `[$__rate_interval]))`
}
