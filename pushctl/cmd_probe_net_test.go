package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

func someNet() *probe.NetReport {
	run := someRun()
	run.Version = ""
	at := netip.MustParseAddrPort
	return &probe.NetReport{Run: run,
		Listeners: []probe.Listener{{Local: at("0.0.0.0:8080"), Sockets: 2, Backlog: 1, Peak: 129, BacklogMax: 128, Drops: 105,
			Parts: []probe.ListenSocket{{Inode: 31, Peak: 129, Dropped: 105}, {Inode: 32, Backlog: 1, Peak: 2}}}},
		Peers: []probe.NetPeer{{Addr: netip.MustParseAddr("203.0.113.7"), Retransmits: 1203, Resets: 1}, {Addr: netip.MustParseAddr("203.0.113.8"), Resets: 2}},
		Connections: []probe.NetConn{
			{Local: at("10.0.0.1:8080"), Peer: at("203.0.113.7:51234"), Inode: 7, Open: true, User: "u-88121", Conn: "3.1f20.2", Unsent: 131072, Unacked: 4096, Window: 4096, MSS: 1448, RTT: 0.212, Segments: 9800, Retransmits: 1203, WindowLimited: 0.94, Probes: 3, Seconds: 10},
			{Local: at("10.0.0.1:8080"), Peer: at("[2001:db8:2001:db8:2001:db8:2001:db8]:65535"), Backoff: 2, Open: true, MSS: 1448},
			{Local: at("10.0.0.1:8080"), Peer: at("203.0.113.8:1")},
		},
		Totals:   probe.NetTotals{Open: 48210, Unwell: 3, Stalled: 1, Limited: 1, Unsent: 131072, Unacked: 5000, Segments: 20000, Retransmits: 1203, Resets: 3, Drops: 105},
		Findings: []probe.NetFinding{{What: "0.0.0.0:8080 turned away 105 connections because its queue of 128 was full", Do: []string{"pushctl doctor: is it set too low?"}}}}
}

func TestNetScreen(t *testing.T) {
	f := func(change func(*probe.NetReport), top int, wide bool, want string) {
		t.Helper()
		r := someNet()
		change(r)
		got := strings.Join(netLines(r, top, wide, table.Style{}), "\n")
		if got != strings.TrimPrefix(want, "\n") {
			t.Errorf("screen\n%s\nwant%s", got, want)
		}
		for l := range strings.SplitSeq(got, "\n") {
			if !wide && table.Width(l) > table.Columns {
				t.Errorf("too wide: %s", l)
			}
		}
	}
	f(func(*probe.NetReport) {}, 2, false, `
pushd[4711], 10.0 s, 48,210 connections, cost 0.3 % cpu, lost 0

LISTENER      SOCKETS  WAITING  PEAK  MAX  TURNED AWAY
0.0.0.0:8080        2        1   129  128          105

PEER         SENT AGAIN  RESETS
203.0.113.7       1,203       1
203.0.113.8           0       2

CONNECTION             USER    UNSENT UNACKED    RTT     AGAIN WINDOW NOW
203.0.113.7:51234      u-88121 131 KB  4.1 KB 212 ms 1,203 12%   94 % full
[2001:db…01:db8]:65535            0 B     0 B      –         0    0 % no answer
and 1 more connection: --top 3 shows them

20,000 segments sent, 1,203 again, 3 resets received, 131 KB unsent, 5.0 KB
unacknowledged, 1 of 48,210 waiting for a window

0.0.0.0:8080 turned away 105 connections because its queue of 128 was full
  pushctl doctor: is it set too low?`)
	f(func(r *probe.NetReport) {
		r.Listeners, r.Peers, r.Connections, r.Totals, r.Findings = nil, nil, nil, probe.NetTotals{Open: 1}, nil
	}, 2, false, `
pushd[4711], 10.0 s, 1 connection, cost 0.3 % cpu, lost 0

0 segments sent, 0 again, 0 resets received, 0 B unsent, 0 B unacknowledged, 0
of 1 waiting for a window
Nothing is wrong here: connections get in, data gets out.`)
	f(func(r *probe.NetReport) { r.Peers, r.Findings, r.Connections = nil, nil, r.Connections[:1] }, 2, true, `
pushd[4711], 10.0 s, 48,210 connections, cost 0.3 % cpu, lost 0

LISTENER      SOCKETS  WAITING  PEAK  MAX  TURNED AWAY
0.0.0.0:8080        2        1   129  128          105
  socket 31                  0   129               105
  socket 32                  1     2                 0

CONNECTION         USER     UNSENT  UNACKED     RTT      AGAIN  WINDOW  NOW   PROBES  OVER  ACKED  UNREAD  SNDBUF  BUSY  CWND  LOCAL          CONN
203.0.113.7:51234  u-88121  131 KB   4.1 KB  212 ms  1,203 12%    94 %  full       3   10s    0 B     0 B     0 %   0 %     0  10.0.0.1:8080  3.1f20.2

20,000 segments sent, 1,203 again, 3 resets received, 131 KB unsent, 5.0 KB
unacknowledged, 1 of 48,210 waiting for a window
Nothing is wrong here: connections get in, data gets out.`)
}

// TestNetUsage wants exit status 2 and a sentence for wrong flags.
func TestNetUsage(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		var errs bytes.Buffer
		e := testEnv()
		e.err = &errs
		if code := run(strings.Fields(line), e); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s, want %q", line, code, errs.String(), want)
		}
	}
	f("probe net", "which process")
	f("probe net --pid 1 --top 0", "want 1 or more")
	f("probe net --pid 1 --interval 1ms", "at least 100ms")
	f("probe net --pid 1 --peer 203.0.113.7", "an address with a port")
}
