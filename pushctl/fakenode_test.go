package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"pushfleet/internal/pushdapi"
)

// fakeNode answers the API with fixed figures: an evening with one slow client.
type fakeNode struct {
	name string

	mu    sync.Mutex
	rev   uint64
	knobs []pushdapi.Knob
	gone  map[string]bool // connections kicked
	sent  []pushdapi.Send
}

// fakeTime is when all of it happens.
func fakeTime() time.Time { return time.Date(2026, 11, 21, 14, 3, 7, 200e6, time.UTC) }

func newFakeNode(name string) *fakeNode {
	return &fakeNode{name: name, rev: 418, knobs: fakeKnobs(), gone: map[string]bool{}}
}

func (n *fakeNode) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/stats", func(w http.ResponseWriter, _ *http.Request) { answer(w, n.stats()) })
	mux.HandleFunc("GET /v1/top", n.top)
	mux.HandleFunc("GET /v1/conns/{id}", n.conn)
	mux.HandleFunc("DELETE /v1/conns/{id}", n.kick)
	mux.HandleFunc("GET /v1/conns/{id}/watch", n.watch)
	mux.HandleFunc("GET /v1/users/{u}", n.user)
	mux.HandleFunc("GET /v1/closed", n.closed)
	mux.HandleFunc("GET /v1/trace", n.trace)
	mux.HandleFunc("GET /v1/knobs", func(w http.ResponseWriter, _ *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		answer(w, n.knobs)
	})
	mux.HandleFunc("GET /v1/knobs/{name}", n.knob)
	mux.HandleFunc("PUT /v1/knobs/{name}", n.setKnob)
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, pushdapi.Version{Version: "0.1.0", Go: "go1.26", Node: n.name, Commit: "0123456789abcdef0123"})
	})
	mux.HandleFunc("DELETE /v1/users/{u}/sessions", func(w http.ResponseWriter, r *http.Request) {
		k := 0
		if r.PathValue("u") == "u-88121" {
			k = 2
		}
		answer(w, pushdapi.Kicked{Kicked: k})
	})
	n.tapRoutes(mux)
	mux.HandleFunc("POST /v1/send", n.send)
	mux.HandleFunc("POST /v1/broadcast", n.send)
	mux.HandleFunc("GET /debug/pprof/{kind}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "profile %s seconds=%q debug=%q", r.PathValue("kind"), r.FormValue("seconds"), r.FormValue("debug"))
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	answer(w, pushdapi.Error{Code: code, Message: message})
}

func (n *fakeNode) stats() *pushdapi.Stats {
	s := &pushdapi.Stats{Node: n.name, Version: "0.1.0", At: fakeTime(), UptimeSeconds: 273600, State: "serving",
		KnobRevision: n.rev, Users: 48190, Groups: 120,
		Published: pushdapi.Windows{S1: 12410, S10: 11980, S100: 12050},
		Delivered: pushdapi.Windows{S1: 12398, S10: 11977, S100: 12049},
		BytesOut:  pushdapi.Windows{S1: 2.61e6, S10: 2.5e6, S100: 2.52e6},
		Received:  pushdapi.Windows{S1: 310, S10: 304, S100: 298.2},
		Latency:   pushdapi.Quantiles{P50: 80e-6, P99: 0.9e-3, P999: 4e-3, Max: 0.031},
		Dropped:   pushdapi.Windows{S1: 12, S10: 3, S100: 0.4}, DroppedBy: map[string]uint64{"overflow": 311, "ttl": 12},
		Closed: pushdapi.Windows{S1: 4, S10: 6, S100: 5}, ClosedBy: map[string]uint64{"client": 30211, "slow": 12, "gone": 812, "auth": 0},
	}
	s.Connections = pushdapi.Connections{Total: 48210, ByProto: map[string]int64{"ws": 47902, "sse": 290, "poll": 18},
		Handshaking: 3, Max: 200000, Accepted: pushdapi.Windows{S1: 12, S10: 9, S100: 3}}
	s.Queued = pushdapi.Queued{Messages: 1204, Bytes: 288_000, Level: pushdapi.Windows{S1: 1180, S10: 310, S100: 140},
		OldestSeconds: 2.1, Conns: 37, OverSoft: 4, OverHard: 1}
	s.Process = pushdapi.Process{CPUUserSeconds: 9120, CPUSystemSeconds: 18300, CPUPercent: 38, GCPercent: 1.2, GCPercent10: 0.4,
		GCPauseP99: 0.2e-3, SchedP99: 0.3e-3, Goroutines: 41, VoluntarySwitch: 910442, FDs: 48260, FDMax: 1048576}
	s.Memory = pushdapi.Memory{PSSBytes: 61_200_000, RSSBytes: 64_000_000, HeapBytes: 12_100_000, SlabBytes: 10_400_000,
		MessageBytes: 2_100_000, MessageBytesMax: 268_435_456, PerConnBytes: 214}
	s.Totals = pushdapi.Totals{Accepted: 79_301, Published: 3_301_100_200, Delivered: 3_301_099_877, BytesOut: 690_000_000_000,
		Received: 81_000_000, Pings: 520_000, Writes: 3_101_000_000, WouldWait: 22_010, Absent: 1000, Kept: 20}
	for i, turn := range []float64{0.11e-3, 0.2e-3} {
		s.Loops = append(s.Loops, pushdapi.Loop{Loop: i, Conns: 24105, Delivered: pushdapi.Windows{S10: 5988}, Queued: 602,
			Inbox: int64(i), TurnP99: turn})
	}
	return s
}

func known(s float64) pushdapi.Estimate {
	return pushdapi.Estimate{State: "known", Seconds: s, Low: s * 0.8, High: s * 1.3}
}

func fakeRows() []pushdapi.ConnRow {
	return []pushdapi.ConnRow{
		{Conn: "3.1f20.2", User: "u-88121", Proto: "ws", AgeSeconds: 7860, Queued: 1012, Bytes: 214_000, In: 25.1, Out: 9.8,
			BytesOut: 2090, Peak: 1024, Wait: known(104), Drain: pushdapi.Estimate{State: "growing", Growth: 15.3, CapSeconds: 11.8},
			Drops: 311, RTTSeconds: 0.212},
		{Conn: "1.b11.1", User: "u-10532", Proto: "ws", AgeSeconds: 512, Queued: 310, Bytes: 64_100, In: 12, Out: 14.9,
			BytesOut: 3100, Peak: 402, Wait: known(20.8), Drain: known(107), RTTSeconds: 0.081},
		{Conn: "0.77a0.9", User: "u-44", Proto: "sse", AgeSeconds: 61, Queued: 41, Bytes: 8100, In: 3.3, Out: 4, BytesOut: 801,
			Peak: 44, Wait: known(10.3), Drain: pushdapi.Estimate{State: "unsure"}},
		{Conn: "2.c3d.1", User: "u-90210\x1b[31m", Proto: "ws", AgeSeconds: 3, Queued: 12, Bytes: 2400, In: 9.1, Out: 10.8,
			BytesOut: 2160, Peak: 13, Wait: known(1.1), Drain: known(7), RTTSeconds: 0.0031},
		{Conn: "2.c3e.1", User: "u-3", Proto: "poll", AgeSeconds: 20, Wait: pushdapi.Estimate{State: "none"},
			Drain: pushdapi.Estimate{State: "none"}, Out: 0.02, In: 0.02},
	}
}

func (n *fakeNode) top(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.FormValue("where"), "nosuch") {
		refuse(w, 400, "where", "where: unknown name nosuch; known are queued, bytes, in, out, drops, proto, user")
		return
	}
	n.mu.Lock()
	rows := slices.DeleteFunc(fakeRows(), func(c pushdapi.ConnRow) bool { return n.gone[c.Conn] })
	n.mu.Unlock()
	if strings.Contains(r.FormValue("where"), "sse") {
		rows = slices.DeleteFunc(rows, func(c pushdapi.ConnRow) bool { return c.Proto != "sse" })
	}
	t := pushdapi.Top{Node: n.name, At: fakeTime(), By: r.FormValue("by"), Connections: 48210, WithQueue: 37, Scanned: 48210, Rows: rows}
	fmt.Sscan(r.FormValue("window"), &t.Window)
	max := 20
	fmt.Sscan(r.FormValue("n"), &max)
	t.Rows = t.Rows[:min(max, len(t.Rows))]
	answer(w, t)
}

func (n *fakeNode) conn(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	i := slices.IndexFunc(fakeRows(), func(c pushdapi.ConnRow) bool { return c.Conn == id })
	n.mu.Lock()
	gone := n.gone[id]
	n.mu.Unlock()
	if i < 0 || gone {
		refuse(w, 404, "not_found", "no connection "+id+" is open")
		return
	}
	answer(w, fakeConn(n.name, fakeRows()[i]))
}

func fakeConn(node string, row pushdapi.ConnRow) *pushdapi.Conn {
	c := &pushdapi.Conn{ConnRow: row, Node: node, Users: []string{row.User}, Groups: []string{"ops", "shop", "eu"},
		Peer: "203.0.113.7:51234", State: "open", LastSeenAgo: 3.2, QueueLimit: 1024, QueueBytesMax: 1 << 20, OldestSeconds: 102}
	c.Rates = pushdapi.ConnRate{
		In:    pushdapi.Windows{S1: 24.8, S10: 25.1, S100: 11},
		Out:   pushdapi.Windows{S1: 9.9, S10: 9.8, S100: 10.6},
		Bytes: pushdapi.Windows{S1: 2110, S10: 2090, S100: 2260},
		Level: pushdapi.Windows{S1: 1010, S10: 988, S100: 412}}
	c.DroppedBy = map[string]uint64{"overflow": 311}
	growing := pushdapi.Estimate{State: "growing", Growth: 15.3, CapSeconds: 11.8}
	c.WaitBy = map[string]pushdapi.Estimate{"1s": known(103), "10s": known(104), "100s": known(96)}
	c.DrainBy = map[string]pushdapi.Estimate{"1s": {State: "unsure"}, "10s": growing, "100s": growing}
	c.TCP = &pushdapi.TCP{State: "established", RTTSeconds: 0.212, RTTVarSeconds: 0.04, SegmentsOut: 80211, Retransmits: 80, CongestionWindow: 10,
		UnsentBytes: 131_000, BusySeconds: 70, RwndLimited: 60, SendBufferBytes: 140_000, LastReceivedAgo: 3.2, LastSentAgo: 0.1, DeliveryRateBytes: 2100}
	c.TCPRecent = &pushdapi.TCPShare{OverSeconds: 10, Busy: 1, RwndLimited: 0.94, Retransmits: 0.001}
	c.LoopTurn = 0.2e-3
	c.Totals.Offered, c.Totals.Delivered, c.Totals.BytesOut, c.Totals.Received = 88_211, 86_888, 18_000_000, 14
	c.Cause = pushdapi.Cause{Kind: "client",
		Sentence: "The client does not read fast enough: its receive window was closed for 94 % of the last 10 s, the network lost almost nothing, and this node was never late.",
		Evidence: []string{"receive window closed 9.4 s of the last 10 s", "0.1 % of segments were sent again",
			"publishing to it doubled 40 s ago, from 11/s to 25/s"},
		Try: []pushdapi.Hint{{What: "keep only the newest", Command: "pushctl knob set queue.normal.policy coalesce"},
			{What: "let it go", Command: "pushctl kick " + row.Conn}}}
	return c
}

func (n *fakeNode) kick(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone[id] || !slices.ContainsFunc(fakeRows(), func(c pushdapi.ConnRow) bool { return c.Conn == id }) {
		refuse(w, 404, "not_found", "no connection "+id+" is open")
		return
	}
	n.gone[id] = true
	answer(w, pushdapi.Kicked{Kicked: 1})
}

func (n *fakeNode) closed(w http.ResponseWriter, r *http.Request) {
	at := fakeTime()
	rows := []pushdapi.ClosedRow{
		{Conn: "0.99.4", User: "u-2", Proto: "ws", Peer: "203.0.113.9:4000", Reason: "client", At: at.Add(-2 * time.Second), AgeSeconds: 3200, Delivered: 1200, Received: 3},
		{Conn: "1.b10.7", User: "u-77", Proto: "ws", Peer: "203.0.113.7:51222", Reason: "slow", Detail: "queue full, policy disconnect", At: at.Add(-71 * time.Second),
			AgeSeconds: 7860, Delivered: 88211, Drops: 40, Queued: 1024, QueuedB: 214_000, In10: 25.1, Out10: 9.8, Peak100: 1024, RTTSeconds: 0.21},
		{Conn: "2.4.1", Reason: "auth", Detail: "token expired 3 h ago", Proto: "ws", At: at.Add(-26 * time.Hour)},
	}
	if reason := r.FormValue("reason"); reason != "" {
		rows = slices.DeleteFunc(rows, func(c pushdapi.ClosedRow) bool { return c.Reason != reason })
	}
	answer(w, rows)
}

func (n *fakeNode) trace(w http.ResponseWriter, r *http.Request) {
	enc := json.NewEncoder(w)
	user := r.FormValue("user")
	if user == "u-nobody" {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	for i, ev := range []pushdapi.TraceEvent{
		{Conn: "3.1f20.2", Event: "open", Note: "ws from 203.0.113.7:51234"},
		{Conn: "3.1f20.2", Event: "offer", Seq: 1, ID: "m-1", Bytes: 211},
		{Conn: "3.1f20.2", Event: "write", Seq: 1, ID: "m-1", Bytes: 211},
		{Conn: "3.1f20.2", Event: "drop", Seq: 2, ID: "m-2", Bytes: 211, Queue: 1024, Note: "overflow"},
	} {
		ev.At, ev.User = fakeTime().Add(time.Duration(i)*time.Millisecond), user
		enc.Encode(ev)
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func fakeKnobs() []pushdapi.Knob {
	return []pushdapi.Knob{
		{Name: "conns.max", Type: "int", Unit: "connections", Value: "200000", Default: "1000000", Min: "1", Max: "16000000",
			Acts: "new connections", Risk: "high", Help: "Connections above this are refused.", Source: "config"},
		{Name: "heartbeat.timeout", Type: "duration", Value: "1m15s", Default: "1m15s", Min: "1s", Max: "1h", Acts: "live", Risk: "medium",
			Help: "A connection that has said nothing for this long is closed.", Source: "default"},
		{Name: "queue.bytes_max", Type: "bytes", Value: "1MiB", Default: "1MiB", Min: "4KiB", Max: "64MiB", Acts: "live", Risk: "medium",
			Help: "Bytes that one connection's queue may hold.", Source: "default"},
		{Name: "queue.messages_max", Type: "int", Unit: "messages", Value: "1024", Default: "512", Min: "16", Max: "65536", Acts: "live", Risk: "medium",
			Help:   "Messages that one connection's queue may hold; a full queue applies the policy of the message's class.",
			Source: "admin", At: fakeTime().Add(-26 * time.Hour), Why: "baseline"},
		{Name: "queue.normal.policy", Type: "enum", Value: "drop-oldest", Default: "drop-oldest",
			Values: []string{"drop-oldest", "drop-newest", "coalesce", "disconnect"}, Acts: "live", Risk: "medium",
			Help: "What a full queue does with one more message of class normal.", Source: "default"},
	}
}

func (n *fakeNode) find(name string) *pushdapi.Knob {
	for i := range n.knobs {
		if n.knobs[i].Name == name {
			return &n.knobs[i]
		}
	}
	return nil
}

func (n *fakeNode) knob(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if k := n.find(r.PathValue("name")); k != nil {
		answer(w, k)
		return
	}
	refuse(w, 404, "not_found", `no knob "`+r.PathValue("name")+`": did you mean queue.messages_max?`)
}

func (n *fakeNode) setKnob(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var s pushdapi.KnobSet
	b, _ := io.ReadAll(r.Body)
	json.Unmarshal(b, &s)
	k := n.find(r.PathValue("name"))
	switch {
	case k == nil:
		refuse(w, 404, "not_found", `no knob "`+r.PathValue("name")+`": did you mean queue.messages_max?`)
		return
	case s.IfRev != 0 && s.IfRev != n.rev:
		refuse(w, 409, "revision", fmt.Sprintf("the knobs are at r%d, not r%d: look again and repeat", n.rev, s.IfRev))
		return
	case k.Type == "int" && len(s.Value) > 5:
		refuse(w, 422, "range", fmt.Sprintf("%s %s: want %s to %s %s", k.Name, s.Value, k.Min, k.Max, k.Unit))
		return
	}
	c := pushdapi.KnobChange{Name: k.Name, Old: k.Value, New: s.Value, Acts: k.Acts, Revision: n.rev, DryRun: s.DryRun}
	if !s.DryRun {
		n.rev++
		c.Revision = n.rev
		k.Value, k.Source, k.Why = s.Value, "admin", s.Why
	}
	answer(w, c)
}

func (n *fakeNode) send(w http.ResponseWriter, r *http.Request) {
	var s pushdapi.Send
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		refuse(w, 400, "json", err.Error())
		return
	}
	n.mu.Lock()
	n.sent = append(n.sent, s)
	n.mu.Unlock()
	switch {
	case r.URL.Path == "/v1/broadcast":
		answer(w, pushdapi.Result{Delivered: 48209, Dropped: map[string]uint64{"overflow": 1}})
	case s.User == "u-nobody":
		answer(w, pushdapi.Result{Absent: 1})
	default:
		// What came is told in the counts, for the scripts to see.
		answer(w, pushdapi.Result{Delivered: uint64(max(1, len(s.Users))), Kept: uint64(len(s.Key)), Absent: uint64(len(s.Key))})
	}
}
