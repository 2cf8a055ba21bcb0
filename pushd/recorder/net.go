package recorder

import "pushfleet/internal/record"

// deviceSource reads /proc/net/dev: the loopback by itself, all others
// together.
func deviceSource() *source {
	var fields []record.Field
	c := func(name, unit, help string) {
		fields = append(fields, record.Field{Name: name, Unit: unit, Kind: record.Counter, Help: help})
	}
	for _, d := range []struct{ short, long string }{{"rx", "received"}, {"tx", "sent"}} {
		c("net."+d.short+"_bytes", "B", "Bytes "+d.long+", loopback left out.")
		c("net."+d.short+"_packets", "", "Packets "+d.long+".")
		c("net."+d.short+"_errors", "", "Packets that were damaged when "+d.long+".")
		c("net."+d.short+"_drops", "", "Packets that were to be "+d.long+" and dropped.")
	}
	c("lo.bytes", "B", "Bytes over the loopback.")
	c("lo.packets", "", "Packets over the loopback.")
	const loopback = 8
	return &source{path: "self/net/dev", fields: fields, parse: func(b []byte, v []int64) {
		var line, name []byte
		_, b = cutLine(b)
		_, b = cutLine(b)
		for len(b) > 0 {
			line, b = cutLine(b)
			name, line = cutWord(line)
			var row [12]int64
			for i := range row {
				row[i], line = nextNumber(line)
			}
			if string(name) == "lo:" {
				v[loopback], v[loopback+1] = row[0], row[1]
				continue
			}
			for i := range 4 {
				plus(&v[i], row[i])
				plus(&v[4+i], row[8+i])
			}
		}
	}}
}

// protocolSource reads /proc/net/snmp.
func protocolSource() *source {
	c := func(kernel, name, help string) column {
		return column{"Tcp." + kernel, record.Field{Name: "tcp." + name, Kind: record.Counter, Help: help}}
	}
	established := c("CurrEstab", "established", "TCP connections of the machine that are open.")
	established.field.Kind = record.Gauge
	return headed("self/net/snmp", []column{
		c("ActiveOpens", "dials", "Connections begun here."),
		c("PassiveOpens", "accepts", "Connections begun elsewhere."),
		c("AttemptFails", "failed", "Connections that did not come about."),
		c("EstabResets", "resets", "Open connections that were reset."),
		established,
		c("InSegs", "segments_in", "Segments received."),
		c("OutSegs", "segments_out", "Segments sent."),
		c("RetransSegs", "retransmits", "Segments sent again."),
		c("InErrs", "errors", "Segments received that were damaged."),
		c("OutRsts", "resets_out", "Resets sent."),
	})
}

// extendedSource reads /proc/net/netstat.
func extendedSource() *source {
	c := func(kernel, name, help string) column {
		return column{"TcpExt." + kernel, record.Field{Name: "tcp." + name, Kind: record.Counter, Help: help}}
	}
	return headed("self/net/netstat", []column{
		c("ListenOverflows", "listen_overflows", "Connections that found an accept queue full."),
		c("ListenDrops", "listen_drops", "Connections that a listener did not take for any reason."),
		c("SyncookiesSent", "syn_cookies", "Connections begun by cookie, for want of room."),
		c("TCPTimeouts", "timeouts", "Segments that nobody acknowledged in time."),
		c("TCPSynRetrans", "syn_retransmits", "Begins of connections sent again."),
		c("TCPLostRetransmit", "lost_retransmits", "Segments sent again that were lost again."),
		c("TCPBacklogDrop", "backlog_drops", "Segments dropped because their socket was busy and its backlog full."),
		c("TCPRcvQDrop", "receive_drops", "Segments dropped because the receive buffer was full."),
		c("TCPFromZeroWindowAdv", "windows_opened", "Times that a receive window of ours opened again."),
		c("TCPToZeroWindowAdv", "windows_closed", "Times that a receive window of ours closed."),
		c("TCPWantZeroWindowAdv", "windows_tight", "Times that a receive window of ours should have closed."),
		c("TCPMemoryPressures", "memory_pressures", "Times that TCP came near its memory limit (tcp_mem)."),
		c("TCPAbortOnMemory", "memory_aborts", "Connections given up for want of memory."),
		c("TCPOFOQueue", "out_of_order", "Segments that came before their turn."),
		c("TCPDSACKRecv", "needless_retransmits", "Segments sent again that had arrived."),
	})
}

// pageBytes is the page of the kernel's accounts of sockets; the field of a
// machine with another is off by the factor.
const pageBytes = 4096

// socketSource reads /proc/net/sockstat.
func socketSource() *source {
	g := func(name, unit string, scale float64, help string) record.Field {
		return record.Field{Name: name, Unit: unit, Kind: record.Gauge, Scale: scale, Help: help}
	}
	fields := []record.Field{
		g("sockets", "", 0, "Sockets of all kinds."), g("tcp.in_use", "", 0, "TCP sockets that are open."),
		g("tcp.orphans", "", 0, "TCP sockets that no process holds any more."), g("tcp.time_wait", "", 0, "TCP connections that are over and remembered."),
		g("tcp.allocated", "", 0, "TCP sockets that exist."), g("tcp.memory", "B", pageBytes, "Memory of TCP buffers."),
	}
	names := map[string]int{"inuse": 1, "orphan": 2, "tw": 3, "alloc": 4, "mem": 5}
	return &source{path: "self/net/sockstat", fields: fields, parse: func(b []byte, v []int64) {
		var line, name, key []byte
		for len(b) > 0 {
			line, b = cutLine(b)
			name, line = cutWord(line)
			switch string(name) {
			case "sockets:":
				_, line = cutWord(line)
				v[0], _ = nextNumber(line)
			case "TCP:":
				for len(line) > 0 {
					key, line = cutWord(line)
					var n int64
					n, line = nextNumber(line)
					if i, ok := names[string(key)]; ok {
						v[i] = n
					}
				}
			}
		}
	}}
}

// softnetSource reads /proc/net/softnet_stat, a line of hex per core.
func softnetSource() *source {
	c := func(name, help string) record.Field {
		return record.Field{Name: "net." + name, Kind: record.Counter, Help: help}
	}
	return &source{path: "self/net/softnet_stat", fields: []record.Field{
		c("processed", "Packets taken from devices."), c("backlog_drops", "Packets dropped because a core's backlog was full."),
		c("squeezed", "Times that a core had more packets than its budget.")},
		parse: func(b []byte, v []int64) {
			var line, word []byte
			for len(b) > 0 {
				line, b = cutLine(b)
				for i := range v {
					word, line = cutWord(line)
					plus(&v[i], hex(word))
				}
			}
		}}
}
