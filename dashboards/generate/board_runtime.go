package main

// runtimeBoard is about what lies below the program: Go and the kernel.
func runtimeBoard() *board {
	b := newBoard("runtime", "Runtime and kernel", "Below the program: collector, scheduler, cores, run queue, network. The kernel's figures come from the recorder.", "pushd_build_info")
	nodeChanges(b)
	gc := `rate(go_gc_cpu_seconds_total$S[$__rate_interval]) / clamp_min(rate(process_cpu_seconds_total$S[$__rate_interval]), 0.001)`
	retransmits := `rate(pushd_host_tcp_retransmits_total$S[$__rate_interval]) / clamp_min(rate(pushd_host_tcp_segments_out_total$S[$__rate_interval]), 1)`
	b.add(4, statHeight, figure("CPU of the process", look{unit: "short", decimals: 3, about: "Cores."}, `sum(rate(process_cpu_seconds_total$S[$__rate_interval]))`))
	b.add(4, statHeight, figure("Of it for garbage", look{unit: "percentunit", warn: []float64{0.1, 0.25}, decimals: 2}, `max(`+gc+`)`))
	b.add(4, statHeight, figure("Run queue", look{unit: "short", about: "Threads that run or wait for a core, on the busiest machine."}, `max(pushd_host_runnable_threads$S)`))
	b.add(4, statHeight, figure("Stalled for CPU", look{unit: "percentunit", warn: []float64{0.3, 0.7}, decimals: 2, about: "Share of the time in which some thread of the machine waited for a core (PSI)."}, `max(rate(pushd_host_stall_seconds_total{$s,for="cpu"}[$__rate_interval]))`))
	b.add(4, statHeight, figure("Sent again", look{unit: "percentunit", warn: []float64{0.01, 0.05}, decimals: 3, about: "TCP segments, of all sent."}, `max(`+retransmits+`)`))
	b.add(4, statHeight, figure("Listen queue lost", look{unit: "short", warn: []float64{0.01, 1}, decimals: 2, about: "Connections per second that a full listen queue lost. pushctl doctor says what to change."}, `sum(rate(pushd_listen_overflows_total$S[$__rate_interval]))`))

	b.head("Collector and scheduler")
	b.add(6, height, graph("Share of CPU for garbage", look{unit: "percentunit"}, line{gc, "{{instance}}"}))
	b.add(6, height, graph("Stops by the collector", look{unit: "s", log: true}, quantiles("go_gc_pauses_seconds", "$S")...))
	b.add(6, height, graph("Wait of goroutines for a processor", look{unit: "s", log: true}, quantiles("go_sched_latencies_seconds", "$S")...))
	b.add(6, height, graph("Collections per second, collector held", look{unit: "short", about: "Held: see the knob gc.hold_while_backlog."},
		line{`sum(rate(go_gc_cycles_total$S[$__rate_interval]))`, "collections"}, line{`sum(pushd_gc_held$S)`, "nodes that hold it"}))
	b.add(12, height, heat("Wait of goroutines for a processor", look{unit: "s"}, counts("go_sched_latencies_seconds", "$S")))
	b.add(6, height, graph("Heap", look{unit: "bytes"}, line{`sum(go_memstats_heap_alloc_bytes$S)`, "objects"}, line{`sum(go_memstats_next_gc_bytes$S)`, "next collection ends at"},
		line{`sum(go_memstats_heap_released_bytes$S)`, "given back"}))
	b.add(6, height, graph("Goroutines and threads", look{unit: "short"}, line{`sum(go_goroutines$S)`, "goroutines"}, line{`sum(go_threads$S)`, "threads"}, line{`sum(go_gomaxprocs$S)`, "may run at once"}))

	b.head("Cores")
	b.add(8, height, graph("CPU of the process", look{unit: "short", stack: true, about: "Cores."}, line{`sum(rate(pushd_cpu_user_seconds_total$S[$__rate_interval]))`, "program"}, line{`sum(rate(pushd_cpu_system_seconds_total$S[$__rate_interval]))`, "kernel"}))
	b.add(8, height, graph("CPU of the machines", look{unit: "short", stack: true, about: "Cores. softirq is most of the network."}, line{`sum by (mode) (rate(pushd_host_cpu_seconds_total{$s,mode!="idle"}[$__rate_interval]))`, "{{mode}}"}))
	b.add(8, height, graph("Waiting for a core", look{unit: "short", about: "Threads that run or wait, and the time that threads waited per second where the kernel keeps it."},
		line{`pushd_host_runnable_threads$S`, "{{instance}} run queue"}, line{`sum(rate(pushd_host_context_switches_total$S[$__rate_interval])) / 1000`, "thousand switches per second"}))
	b.add(8, height, graph("Stalled (PSI)", look{unit: "percentunit", about: "Share of the time in which some thread waited for the resource, the worst machine."}, line{`max by (for) (rate(pushd_host_stall_seconds_total$S[$__rate_interval]))`, "{{for}}"}))
	b.add(8, height, graph("Locks", look{unit: "short", about: "Time per second that goroutines waited for locks, and that allocating ones gave to the collector. pushctl pprof mutex says where."},
		line{`sum(rate(go_mutex_wait_seconds_total$S[$__rate_interval]))`, "waited for locks"}, line{`sum(rate(go_gc_mark_assist_cpu_seconds_total$S[$__rate_interval]))`, "helped the collector"}))
	b.add(8, height, graph("Memory of the machines", look{unit: "bytes"}, line{`pushd_host_memory_available_bytes$S`, "{{instance}} available"}, line{`pushd_host_memory_bytes$S`, "{{instance}} all"}))

	b.head("Network")
	b.add(8, height, graph("Sent again", look{unit: "percentunit", about: "TCP segments, of all sent. A lossy network shows here, a slow client does not."}, line{retransmits, "{{instance}}"}))
	b.add(8, height, graph("Lost before they were connections, per second", look{unit: "short", soft: 1, about: "By listen queues and by the backlog of a core."},
		line{`sum(rate(pushd_listen_overflows_total$S[$__rate_interval]))`, "listen queue full"}, line{`sum(rate(pushd_host_tcp_listen_drops_total$S[$__rate_interval]))`, "not taken for any reason"},
		line{`sum(rate(pushd_host_backlog_drops_total$S[$__rate_interval]))`, "packets of a full backlog"}))
	b.add(8, height, graph("TCP memory", look{unit: "bytes", about: "Memory of all TCP buffers; at tcp_mem the kernel begins to drop."}, line{`pushd_host_tcp_memory_bytes$S`, "{{instance}}"}))
	b.add(12, height, graph("Bytes per second over the network", look{unit: "Bps", about: "Loopback left out."}, line{`sum(rate(pushd_host_received_bytes_total$S[$__rate_interval]))`, "received"}, line{`sum(rate(pushd_host_sent_bytes_total$S[$__rate_interval]))`, "sent"}))
	b.add(12, height, graph("Sockets", look{unit: "short"}, line{`pushd_host_sockets$S`, "{{instance}}"}))
	return b
}
