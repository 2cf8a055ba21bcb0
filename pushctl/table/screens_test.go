package table

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

func TestEstimate(t *testing.T) {
	f := func(e pushdapi.Estimate, want string) {
		t.Helper()
		if got := Estimate(e); got != want {
			t.Errorf("Estimate(%+v) = %q, want %q", e, got, want)
		}
	}
	f(pushdapi.Estimate{}, "–")
	f(pushdapi.Estimate{State: "none"}, "–")
	f(pushdapi.Estimate{State: "known", Seconds: 104}, "1m44s")
	f(pushdapi.Estimate{State: "growing", Growth: 3}, "never")
	f(pushdapi.Estimate{State: "unsure", Seconds: 3}, "unsure")
}

func TestAdvice(t *testing.T) {
	growing := func(cap float64) TopRow {
		return TopRow{ConnRow: pushdapi.ConnRow{Drain: pushdapi.Estimate{State: "growing", CapSeconds: cap}}}
	}
	f := func(s pushdapi.Stats, rows []TopRow, want string) {
		t.Helper()
		if got := strings.Join(Advice(&s, rows), "|"); got != want {
			t.Errorf("Advice = %q, want %q", got, want)
		}
	}
	f(pushdapi.Stats{}, nil, "")
	f(pushdapi.Stats{}, []TopRow{growing(11.6)}, "1 connection will hit its limit in 12 s: pushctl top --by drain")
	f(pushdapi.Stats{}, []TopRow{growing(90), growing(11.6), growing(4000)},
		"2 connections will hit their limit, the first in 12 s: pushctl top --by drain")
	f(pushdapi.Stats{}, []TopRow{growing(4000), growing(0)}, "")
	f(pushdapi.Stats{Queued: pushdapi.Queued{OverHard: 2}, Dropped: pushdapi.Windows{S10: 3}}, nil,
		"2 connections are at their limit: pushctl top --by queued")
	f(pushdapi.Stats{Dropped: pushdapi.Windows{S10: 3}}, nil, "messages are dropped, 3/s: pushctl top --by drops")
	f(pushdapi.Stats{SilentLoop: []int{2}}, nil,
		"1 loop did not answer, its figures are missing: pushctl pprof goroutine")
	f(pushdapi.Stats{Process: pushdapi.Process{FDs: 950, FDMax: 1000}}, nil,
		"950 of 1,000 fds are used: raise LimitNOFILE in the unit")
}

func TestHealth(t *testing.T) {
	f := func(s pushdapi.Stats, want string) {
		t.Helper()
		if got, _ := Health(&s); got != want {
			t.Errorf("Health = %q, want %q", got, want)
		}
	}
	f(pushdapi.Stats{State: "serving"}, "healthy")
	f(pushdapi.Stats{State: "draining"}, "draining")
	f(pushdapi.Stats{SilentLoop: []int{0}}, "loop silent")
	f(pushdapi.Stats{Process: pushdapi.Process{FDs: 95, FDMax: 100}}, "few fds left")
	f(pushdapi.Stats{Connections: pushdapi.Connections{Total: 5, Max: 5}}, "full")
	// Slow clients do not make the node ill.
	f(pushdapi.Stats{Queued: pushdapi.Queued{OverHard: 9}, Dropped: pushdapi.Windows{S1: 100}}, "healthy")
}

func TestMergeSortsTheWorstFirst(t *testing.T) {
	row := func(conn string, queued int64, drain pushdapi.Estimate) pushdapi.ConnRow {
		return pushdapi.ConnRow{Conn: conn, Queued: queued, Drain: drain, Wait: drain}
	}
	a := []pushdapi.ConnRow{row("a", 9, pushdapi.Estimate{State: "known", Seconds: 5}),
		row("b", 1, pushdapi.Estimate{State: "growing", CapSeconds: 90})}
	b := []pushdapi.ConnRow{row("c", 5, pushdapi.Estimate{State: "growing", CapSeconds: 12}),
		row("d", 7, pushdapi.Estimate{State: "unsure"}), row("e", 0, pushdapi.Estimate{State: "none"})}
	f := func(by string, n int, want string) {
		t.Helper()
		v := Merge([]*pushdapi.Top{{Node: "1", By: by, Rows: a, Connections: 10, WithQueue: 2},
			{Node: "2", By: by, Rows: b, Connections: 20, WithQueue: 3}}, n)
		got := ""
		for _, r := range v.Rows {
			got += r.Conn
		}
		if got != want || v.Connections != 30 || v.WithQueue != 5 {
			t.Errorf("by %s: %q, %d connections, %d queued; want %q, 30, 5", by, got, v.Connections, v.WithQueue, want)
		}
	}
	f("queued", 0, "adcbe")
	f("queued", 2, "ad")
	f("drain", 0, "cbade")
	f("wait", 0, "cbade")
}

func TestSumAddsRatesAndKeepsTheWorstTime(t *testing.T) {
	n := func(c int64, rate, oldest float64) *pushdapi.Stats {
		s := &pushdapi.Stats{Published: pushdapi.Windows{S1: rate, S10: rate, S100: rate}, DroppedBy: map[string]uint64{"ttl": 2}}
		s.Connections.Total = c
		s.Connections.ByProto = map[string]int64{"ws": c}
		s.Queued.OldestSeconds = oldest
		return s
	}
	s := Sum([]*pushdapi.Stats{n(3, 10, 0.5), n(4, 20, 2)})
	if s.Connections.Total != 7 || s.Connections.ByProto["ws"] != 7 || s.Published.S10 != 30 || s.DroppedBy["ttl"] != 4 ||
		s.Queued.OldestSeconds != 2 {
		t.Errorf("Sum = %+v", s)
	}
}

func TestResult(t *testing.T) {
	f := func(r pushdapi.Result, want string) {
		t.Helper()
		if got := Result(&r); got != want {
			t.Errorf("Result(%+v) = %q, want %q", r, got, want)
		}
	}
	f(pushdapi.Result{Delivered: 1}, "delivered to 1 connection")
	f(pushdapi.Result{}, "delivered to nobody")
	f(pushdapi.Result{Absent: 3, Kept: 1}, "kept for 1 user just gone; 2 users not connected")
	f(pushdapi.Result{Delivered: 2, Dropped: map[string]uint64{"ttl": 1, "overflow": 3}, Pending: 4},
		"delivered to 2 connections; dropped overflow 3, ttl 1; 4 not decided yet")
}

func TestWhen(t *testing.T) {
	now := time.Now()
	if got := when(now.Add(-time.Minute), now); len(got) != len("15:04:05") {
		t.Errorf("a minute ago is %q", got)
	}
	if got := when(now.Add(-30*time.Hour), now); len(got) != len("01-02 15:04") {
		t.Errorf("yesterday is %q", got)
	}
}

// Whatever a node says, every narrow screen fits in 80 columns, and nothing
// that a client has named reaches the terminal as a command.
func TestScreensFitWhateverTheFigures(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		for what, lines := range map[string][]string{
			"stats":  Stats(wildStats(r), false, Style{}),
			"fleet":  Fleet([]*pushdapi.Stats{wildStats(r), wildStats(r)}, r.IntN(3), Style{}),
			"top":    wildTop(r),
			"conn":   Conn(wildConn(r), false, Style{}),
			"closed": wildClosed(r),
		} {
			for _, l := range lines {
				// Commands to copy are never cut, nor is a connection's name.
				if Width(l) > Columns && !strings.Contains(l, "pushctl") {
					t.Fatalf("seed %d, %s: %d columns: %s", seed, what, Width(l), l)
				}
				if strings.ContainsAny(l, "\x1b\n\r") {
					t.Fatalf("seed %d, %s: control character in %q", seed, what, l)
				}
			}
		}
	}
}

func wildText(r *rand.Rand) string {
	words := []string{"", "u-1", "\x1b[2Jevil\nname", strings.Repeat("long", 60), "日本語の名前がここにあります", "zoë"}
	return words[r.IntN(len(words))]
}

// wild is a number of any size, often zero.
func wild(r *rand.Rand) float64 {
	v := []float64{0, 0, 1e-9, 1e-5, 0.3, 1, 12.34, 999.96, 48210, 3e6, 7e9, 1e12}
	return v[r.IntN(len(v))]
}

func wildWindows(r *rand.Rand) pushdapi.Windows {
	return pushdapi.Windows{S1: min(wild(r), 1e9), S10: min(wild(r), 1e9), S100: min(wild(r), 1e9)}
}

func wildEstimate(r *rand.Rand) pushdapi.Estimate {
	s := []string{"none", "known", "growing", "unsure", ""}
	return pushdapi.Estimate{State: s[r.IntN(len(s))], Seconds: min(wild(r), 1e8), Growth: min(wild(r), 1e6), CapSeconds: min(wild(r), 1e8)}
}

func wildRow(r *rand.Rand) pushdapi.ConnRow {
	conns := []string{"3.1f20.2", "0.0.1", "255.ffffff.65535"}
	return pushdapi.ConnRow{Conn: conns[r.IntN(len(conns))], User: wildText(r), Proto: "stream", AgeSeconds: min(wild(r), 1e8), Queued: int64(min(wild(r), 1e6)),
		Bytes: int64(wild(r)), In: min(wild(r), 1e6), Out: min(wild(r), 1e6), BytesOut: wild(r), Peak: min(wild(r), 1e6), Wait: wildEstimate(r),
		Drain: wildEstimate(r), Drops: uint64(min(wild(r), 1e7)), RTTSeconds: min(wild(r), 1e4)}
}

func wildTop(r *rand.Rand) []string {
	t := &pushdapi.Top{Node: "gw-1", At: time.Now(), By: TopKeys()[r.IntN(8)], Window: 10, Connections: int64(min(wild(r), 1e7)), WithQueue: int64(min(wild(r), 1e7))}
	for range r.IntN(8) {
		t.Rows = append(t.Rows, wildRow(r))
	}
	return Top(Merge([]*pushdapi.Top{t}, 0), false, Style{})
}

func wildStats(r *rand.Rand) *pushdapi.Stats {
	n := func() int64 { return int64(min(wild(r), 1e8)) }
	s := &pushdapi.Stats{Node: "gw-1", Version: "0.1.0", UptimeSeconds: wild(r), State: "serving", Users: n(), Groups: n(),
		Published: wildWindows(r), Delivered: wildWindows(r), BytesOut: wildWindows(r), Received: wildWindows(r),
		Dropped: wildWindows(r), Closed: wildWindows(r)}
	s.Connections = pushdapi.Connections{Total: n(), Handshaking: n(), Sampled: n(), Max: n(), Accepted: wildWindows(r),
		ByProto: map[string]int64{"ws": n(), "sse": n(), "stream": n(), "poll": n()}}
	s.ClosedBy = map[string]uint64{"client": uint64(n()), "gone": uint64(n()), "handshake_timeout": uint64(n()),
		"handshake_pressure": uint64(n()), "slow": uint64(n())}
	s.Queued = pushdapi.Queued{Messages: n(), Bytes: n(), Level: wildWindows(r), OldestSeconds: wild(r), Conns: n(), OverSoft: n(), OverHard: n()}
	s.Process = pushdapi.Process{CPUUserSeconds: wild(r), CPUSystemSeconds: wild(r), CPUPercent: min(wild(r), 6400), GCPercent: min(wild(r), 100), GCPercent10: min(wild(r), 100),
		GCPauseP99: min(wild(r), 10), GCHeld: r.IntN(2) == 0, SchedP99: min(wild(r), 10), Goroutines: int(n()), FDs: n(), FDMax: n(), ListenOverflows: uint64(n())}
	s.Memory = pushdapi.Memory{PSSBytes: n(), HeapBytes: n(), SlabBytes: n(), MessageBytes: n(), MessageBytesMax: n(), PerConnBytes: n()}
	s.Loops = []pushdapi.Loop{{TurnP99: wild(r)}, {Loop: 1, TurnP99: wild(r), Inbox: n()}}
	return s
}

func wildConn(r *rand.Rand) *pushdapi.Conn {
	c := &pushdapi.Conn{ConnRow: wildRow(r), Node: "gw-1", Users: []string{wildText(r), "b"}, Groups: []string{"g"}, Peer: "[2001:db8::1]:51234",
		State: "draining", LastSeenAgo: wild(r), QueueLimit: 65536, QueueBytesMax: 1 << 20, OldestSeconds: min(wild(r), 1e6)}
	c.Rates = pushdapi.ConnRate{In: wildWindows(r), Out: wildWindows(r), Bytes: wildWindows(r), Level: wildWindows(r)}
	c.DroppedBy = map[string]uint64{"overflow": uint64(wild(r)), "ttl": uint64(wild(r)), "coalesced": uint64(wild(r))}
	c.TCP = &pushdapi.TCP{RTTSeconds: wild(r), UnsentBytes: uint32(wild(r)), Probes: uint8(r.IntN(9)), BusySeconds: wild(r), RwndLimited: wild(r)}
	c.Cause = pushdapi.Cause{Sentence: "because " + wildText(r) + " of words that go on and on beyond the end of a line",
		Evidence: []string{"seen in the figures of the last ten seconds, and in the hundred seconds before"}}
	return c
}

func wildClosed(r *rand.Rand) []string {
	var rows []ClosedRow
	for range r.IntN(6) {
		rows = append(rows, ClosedRow{Node: "gw-1", ClosedRow: pushdapi.ClosedRow{Conn: "255.ffffff.65535", User: wildText(r), Proto: "stream",
			Reason: "handshake_pressure", Detail: wildText(r), At: time.Now().Add(-30 * time.Hour), AgeSeconds: min(wild(r), 1e8),
			Delivered: uint64(min(wild(r), 1e7)), Drops: uint64(min(wild(r), 1e5)), Queued: int64(min(wild(r), 1e5))}})
	}
	return Closed(rows, "", time.Now(), false, Style{})
}

func TestStatsOfTees(t *testing.T) {
	at := time.Unix(1000, 0)
	f := func(s pushdapi.Stats, want string) {
		t.Helper()
		if got := strings.Join(statsTee(&s), "|"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(pushdapi.Stats{}, "")
	f(pushdapi.Stats{Tap: &pushdapi.Tap{EndReason: "stopped"}}, "")
	f(pushdapi.Stats{At: at, Tap: &pushdapi.Tap{Active: true, Since: at.Add(-90 * time.Second), Connections: 1230, Sample: 5, CPUPercent: 0.31, Torn: 2}},
		"  mirrored       1,230, 5 % of users, for 1m30s, tap 0.3 % of a core, 2 torn")
	f(pushdapi.Stats{Shadow: true, ShadowCut: map[string]uint64{pushdapi.CutUplink: 3}},
		"  shadow         takes the clients of a tee only, 3 uplink messages cut off")
}
