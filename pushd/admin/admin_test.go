package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/knob"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/stats"
)

// fake is a node that tells what a test puts in.
type fake struct {
	stats   func(context.Context) (pushdapi.Stats, error)
	trace   func(context.Context, string, func(pushdapi.TraceEvent) error) error
	connErr error
	asked   atomic.Pointer[stats.Query]
	kicked  atomic.Uint64 // handle
	why     atomic.Uint32
}

func (f *fake) Stats(ctx context.Context) (pushdapi.Stats, error) { return f.stats(ctx) }

func (f *fake) Top(_ context.Context, q stats.Query) (pushdapi.Top, error) {
	f.asked.Store(&q)
	return pushdapi.Top{Node: q.Node, By: q.By.String(), Window: q.Window}, nil
}

func (f *fake) Conn(_ context.Context, h push.Handle) (pushdapi.Conn, error) {
	c := pushdapi.Conn{Cause: pushdapi.Cause{Kind: "client", Sentence: "It does not read."}}
	c.Conn = h.String()
	return c, f.connErr
}

func (f *fake) Kick(_ context.Context, h push.Handle, why push.CloseReason) error {
	f.kicked.Store(uint64(h))
	f.why.Store(uint32(why))
	return f.connErr
}

func (f *fake) Trace(ctx context.Context, user string, emit func(pushdapi.TraceEvent) error) error {
	return f.trace(ctx, user, emit)
}

// bench is an API over a fake node, on a loopback listener.
type bench struct {
	*API
	node     *fake
	registry *knob.Registry
	limits   Knobs
	closed   *stats.Closed
	ready    atomic.Pointer[error]
	url      string
	client   *pushdapi.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	r := knob.NewRegistry()
	r.Int(knob.Spec{Name: "queue.messages_max", Unit: "messages", Help: "Messages that may wait."}, 1024, 1, 65536)
	b := &bench{node: &fake{}, registry: r, limits: NewKnobs(r), closed: stats.NewClosed(8)}
	b.node.stats = func(context.Context) (pushdapi.Stats, error) { return someStats(1000), nil }
	b.API = New(Config{Source: b.node, Knobs: r, Closed: b.closed, Limits: b.limits, Histograms: someHistograms,
		Version: pushdapi.Version{Version: "1.2.3", Go: "go1.26", Node: "gw-1"},
		Ready: func() error {
			if err := b.ready.Load(); err != nil {
				return *err
			}
			return nil
		}})
	mux := http.NewServeMux()
	b.Register(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	b.url = s.URL
	b.client = pushdapi.New(s.URL, pushdapi.Options{})
	t.Cleanup(b.client.Close)
	return b
}

// ask sends a request and returns status, header and body.
func (b *bench) ask(t *testing.T, method, path, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// refused wants an error answer with this status and code whose message holds
// all the words.
func (b *bench) refused(t *testing.T, method, path, body string, status int, code string, words ...string) {
	t.Helper()
	got, header, text := b.ask(t, method, path, body)
	var e pushdapi.Error
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Errorf("%s %s: the error %q is not JSON: %v", method, path, text, err)
		return
	}
	if got != status || e.Code != code || header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s: %d %s (%s) %q, want %d %s", method, path, got, e.Code, header.Get("Content-Type"), e.Message, status, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Message, w) {
			t.Errorf("%s %s: %q does not say %q", method, path, e.Message, w)
		}
	}
}

// someStats has a different number in every place that /metrics shows.
func someStats(conns int64) pushdapi.Stats {
	w := func(v float64) pushdapi.Windows { return pushdapi.Windows{S1: v, S10: v / 10, S100: v / 100} }
	return pushdapi.Stats{
		Node: "gw-1", Version: "1.2.3", At: time.UnixMilli(1_700_000_100_000), UptimeSeconds: 100.5, State: "serving", KnobRevision: 7,
		Follow:      pushdapi.Follow{Mode: pushdapi.FollowKeepers, Revision: 418, Connected: true, Drift: make([]pushdapi.KnobDrift, 2)},
		Connections: pushdapi.Connections{Total: conns, ByProto: map[string]int64{"ws": conns}, Handshaking: 5, Max: 20000, Sampled: 6, Accepted: w(11)},
		Users:       conns, Groups: 3, Published: w(12), Delivered: w(13), BytesOut: w(14), Received: w(15), Dropped: w(16), Closed: w(17),
		Totals: pushdapi.Totals{Accepted: 21, Published: 22, Absent: 23, Kept: 24, Delivered: 25, BytesOut: 26, Received: 27,
			Pings: 28, Writes: 29, WouldWait: 30, UplinkNo: 31},
		Queued:    pushdapi.Queued{Messages: 41, Bytes: 42, Level: w(43), OldestSeconds: 4.4, Conns: 45, OverSoft: 46, OverHard: 47},
		DroppedBy: map[string]uint64{"overflow": 51}, ClosedBy: map[string]uint64{"slow": 52},
		Process: pushdapi.Process{CPUUserSeconds: 6.1, CPUSystemSeconds: 1.5, GCPercent: 3, GCHeld: true, Goroutines: 63, VoluntarySwitch: 64, FDs: 65, FDMax: 66, ListenOverflows: 67},
		Memory: pushdapi.Memory{PSSBytes: 71, RSSBytes: 72, HeapBytes: 73, SlabBytes: 74, MessageBytes: 75,
			MessageBytesMax: 76, PerConnBytes: 77},
		Loops:      []pushdapi.Loop{{Loop: 0, Conns: 81, Delivered: w(82), Queued: 83, Inbox: 84, TurnP99: 0.085}, {Loop: 2, Conns: 86}},
		SilentLoop: []int{1},
	}
}

func someHistograms() []Histogram {
	latency, turns := new(hist.Log), new(hist.Log)
	latency.Record(200_000)
	latency.Record(30_000_000)
	turns.Record(20_000)
	return []Histogram{{Name: "pushd_deliver_latency_seconds", Log: latency},
		{Name: "pushd_loop_turn_seconds", Log: turns, Bounds: []float64{0.0001, 0.01}}}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
