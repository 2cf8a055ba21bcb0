package admin

import (
	"math"

	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

// hostMetric is one number of the machine, from the recorder's last second.
type hostMetric struct {
	name, label, word, kind, help string
	field                         string  // of the recorder
	unit                          float64 // of the metric, in that of the field
}

// hostTable lists the samples of a family one behind the other. Shares in
// percent, added up over seconds, are hundredths of a second.
func hostTable() []hostMetric {
	const counter, gauge, percent = "counter", "gauge", 0.01
	cpu := func(mode string) hostMetric {
		return hostMetric{"pushd_host_cpu_seconds_total", "mode", mode, counter, "CPU of all cores of the machine, by what it went to.", "cpu." + mode, percent}
	}
	stall := func(what string) hostMetric {
		return hostMetric{"pushd_host_stall_seconds_total", "for", what, counter, "Time in which some thread of the machine waited for the resource (PSI).", "stall." + what, percent}
	}
	one := func(name, kind, help, field string) hostMetric {
		return hostMetric{"pushd_host_" + name, "", "", kind, help, field, 1}
	}
	wait := one("cpu_wait_seconds_total", counter, "Time that threads of the machine waited for a core.", "cpu.wait")
	wait.unit = percent
	return []hostMetric{
		cpu("user"), cpu("system"), cpu("iowait"), cpu("irq"), cpu("softirq"), cpu("steal"), cpu("idle"), wait,
		stall("cpu"), stall("memory"), stall("io"),
		one("runnable_threads", gauge, "Threads that run or wait for a core: the run queue.", "cpu.runnable"),
		one("context_switches_total", counter, "Context switches of the machine.", "kernel.switches"),
		one("memory_available_bytes", gauge, "Memory that could be had without swapping.", "mem.available"),
		one("memory_bytes", gauge, "Memory of the machine.", "mem.total"),
		one("sockets", gauge, "Sockets of all kinds, of this network namespace.", "sockets"),
		one("tcp_memory_bytes", gauge, "Memory of TCP buffers.", "tcp.memory"),
		one("tcp_segments_out_total", counter, "TCP segments sent.", "tcp.segments_out"),
		one("tcp_retransmits_total", counter, "TCP segments sent again.", "tcp.retransmits"),
		one("tcp_listen_drops_total", counter, "Connections that a listener did not take for any reason.", "tcp.listen_drops"),
		one("tcp_memory_pressures_total", counter, "Times that TCP came near its memory limit (tcp_mem).", "tcp.memory_pressures"),
		one("received_bytes_total", counter, "Bytes received, loopback left out.", "net.rx_bytes"),
		one("sent_bytes_total", counter, "Bytes sent, loopback left out.", "net.tx_bytes"),
		one("backlog_drops_total", counter, "Packets dropped because a core's backlog was full.", "net.backlog_drops"),
	}
}

// hostMetrics writes what the recorder has read of the kernel, so that a scrape
// reads nothing again. Without a recorder, or where the kernel does not keep a
// number, the sample is missing rather than 0.
func (a *API) hostMetrics(p *prom.Page, _ *pushdapi.Stats) {
	if a.c.Recorder == nil {
		return
	}
	table := hostTable()
	fields := make([]string, len(table))
	for i, m := range table {
		fields[i] = m.field
	}
	begun := ""
	for i, v := range a.c.Recorder.Last(fields) {
		m := &table[i]
		if math.IsNaN(v) {
			continue
		}
		if m.name != begun {
			p.Family(m.name, m.kind, m.help)
			begun = m.name
		}
		series := m.name
		if m.label != "" {
			series = prom.Series(m.name, m.label, m.word)
		}
		p.Sample(series, v*m.unit)
	}
}
