package main

// teeBoard is about experiments on mirrored traffic: what is mirrored, what
// that costs production, and how the shadow fares beside it.
func teeBoard() *board {
	b := newBoard("tee", "Tee", "Experiments on mirrored traffic: what is mirrored, what it costs production, and how shadows fare beside it.", "pushd_tap_active")
	nodeChanges(b)
	const since = `(time() - pushd_tap_started_timestamp_seconds$S) * on (job, instance) pushd_tap_active$S`
	b.add(4, statHeight, figure("Tees", look{about: "Nodes whose traffic is read. pushctl tee status says by whom."}, `sum(pushd_tap_active$S)`))
	b.add(4, statHeight, figure("Running for", look{unit: "s", warn: []float64{3600, 6 * 3600}, about: "The longest; one of hours may have been forgotten."}, `max(`+since+`)`))
	b.add(4, statHeight, figure("Sample", look{unit: "percent", about: "Of users, the largest. What was asked for may be more: the knob tap.sample_percent and the budgets of the tap bound it."}, `max(pushd_tap_sample_percent$S)`))
	b.add(4, statHeight, figure("Connections mirrored", look{unit: "short"}, `sum(pushd_tap_connections$S)`))
	b.add(4, statHeight, figure("Left out per second", look{unit: "short", warn: []float64{0.1, 10}, decimals: 2, about: "Records that a tee did not get. Their connections have left its sample."}, `sum(rate(pushd_tap_dropped_total$S[$__rate_interval]))`))
	b.add(4, statHeight, figure("Cost", look{unit: "percentunit", warn: []float64{0.05, 0.2}, decimals: 2, about: "Of one core, estimated by the tap; the node that pays most."}, `max(rate(pushd_tap_cpu_seconds_total$S[$__rate_interval]))`))

	b.head("What is mirrored")
	b.add(8, height, graph("Records per second by kind", look{unit: "short", stack: true, about: "in: commands of clients. out: writes to a connection, one record for all that left together."},
		line{`sum by (kind) (rate(pushd_tap_records_total$S[$__rate_interval]))`, "{{kind}}"}))
	b.add(8, height, graph("Connections", look{unit: "short"}, line{`pushd_tap_connections$S`, "mirrored of {{instance}}"}, line{`sum(increase(pushd_tap_torn_total$S[$__rate_interval]))`, "torn: left the sample"},
		line{`sum(increase(pushd_tap_joined_total$S[$__rate_interval]))`, "joined: were open before"}))
	b.add(8, height, graph("Bytes per second to the reader", look{unit: "Bps"}, line{`rate(pushd_tap_bytes_total$S[$__rate_interval])`, "{{instance}}"}))

	b.head("What it costs production")
	b.add(8, height, graph("CPU of the tap", look{unit: "percentunit", about: "Of one core, estimated. Beyond tap.cpu_percent_max the tap makes its sample smaller."}, line{`rate(pushd_tap_cpu_seconds_total$S[$__rate_interval])`, "{{instance}}"}))
	b.add(8, height, graph("Waiting for the reader", look{unit: "bytes", about: "At tap.buffer_bytes_max records are left out; the node waits for nobody."}, line{`pushd_tap_buffer_bytes$S`, "{{instance}}"}))
	b.add(8, height, graph("Left out per second by reason", look{unit: "short", soft: 1, stack: true, about: "buffer: the reader is too slow. cpu, rate: a budget of the tap. size: too large. torn: of what has a hole already."},
		line{`sum by (reason) (rate(pushd_tap_dropped_total$S[$__rate_interval]))`, "{{reason}}"}))

	b.head("Production and shadows side by side")
	cpu := `sum by (job, instance) (rate(process_cpu_seconds_total$S[$__rate_interval]))`
	b.add(8, height, graph("CPU per delivered message", look{unit: "s", about: "An experiment judges this over many windows: look at its report before you believe a difference."},
		sides(cpu+` / clamp_min(sum by (job, instance) (rate(pushd_delivered_total$S[$__rate_interval])), 0.1)`)...))
	b.add(8, height, graph("99 of 100 messages are delivered within", look{unit: "s", log: true},
		sides(`histogram_quantile(0.99, sum by (job, instance, le) (rate(pushd_deliver_latency_seconds_bucket$S[$__rate_interval])))`)...))
	b.add(8, height, graph("Waiting, mean over 10 s", look{unit: "short", soft: 1, about: "A shadow that is read as production is has the same queues, in proportion to what is mirrored."},
		sides(`pushd_queued_level_messages{$s,window="10s"}`)...))
	b.add(8, height, graph("Memory per connection", look{unit: "bytes"}, sides(`pushd_memory_per_connection_bytes$S`)...))
	b.add(8, height, graph("Share of CPU for garbage", look{unit: "percentunit"}, sides(`sum by (job, instance) (rate(go_gc_cpu_seconds_total$S[$__rate_interval])) / clamp_min(`+cpu+`, 0.001)`)...))
	b.add(8, height, graph("Dropped per delivered message", look{unit: "percentunit", soft: 0.001},
		sides(`sum by (job, instance) (rate(pushd_dropped_total$S[$__rate_interval])) / clamp_min(sum by (job, instance) (rate(pushd_delivered_total$S[$__rate_interval])), 0.1)`)...))

	b.head("Shadows")
	b.add(6, height, graph("Connections", look{unit: "short", stack: true}, line{shadows(`sum by (job, instance) (pushd_connections$S)`), "{{instance}}"}))
	b.add(6, height, graph("Knobs not as at the start", look{unit: "short", soft: 1, about: "Of an experiment that runs, or that did not put them back."}, line{shadows(`pushd_knob_changed$S`), "{{instance}}"}))
	b.add(6, height, graph("Not let out, per second", look{unit: "short", soft: 1, about: "What a shadow would have sent on were it none."}, line{shadows(`sum by (job, instance, what) (rate(pushd_shadow_cut_total$S[$__rate_interval]))`), "{{what}} of {{instance}}"}))
	b.add(6, height, graph("Clients of their own refused per second", look{unit: "short", soft: 1, about: "A shadow takes the clients of a tee only. Somebody has its address who should not."},
		line{shadows(`rate(pushd_closed_total{$s,reason="shadow"}[$__rate_interval])`), "{{instance}}"}))
	return b
}

// sides are a line for nodes and one for shadows; expr has one series for each,
// with the labels job and instance.
func sides(expr string) []line {
	return []line{{`(` + expr + `) and on (job, instance) pushd_shadow$S == 0`, "{{instance}}"}, {shadows(expr), "shadow {{instance}}"}}
}

func shadows(expr string) string { return `(` + expr + `) and on (job, instance) pushd_shadow$S == 1` }
