package admin

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/hist"
	"pushfleet/internal/prom/promtest"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

var update = flag.Bool("update", false, "rewrite testdata/metrics.txt")

// scrapeText scrapes and wants a page without problems.
func scrapeText(t *testing.T, b *bench) (string, *promtest.Page) {
	t.Helper()
	status, h, text := b.ask(t, "GET", "/metrics", "")
	if status != 200 || h.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %s: %s", status, h.Get("Content-Type"), text)
	}
	x := promtest.Read(text, "proto", "reason", "loop", "window", "result", "version", "go", "ring", "mode", "for", "kind", "what")
	for _, p := range x.Problems {
		t.Error(p)
	}
	return text, x
}

// TestMetricNames holds the names to testdata/metrics.txt: dashboards and
// alerts of users depend on them. go test -run MetricNames -update rewrites it.
func TestMetricNames(t *testing.T) {
	b := newBench(t)
	b.c.Recorder = &fakeRecorder{}
	_, x := scrapeText(t, b)
	got := strings.Join(x.Names(), "\n") + "\n"
	const file = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("names differ from %s; if that is wanted, run with -update and tell users in CHANGELOG.md:\n%s", file, d)
	}
	if strings.Contains(got, "vmrange") {
		t.Error("a vmrange histogram, which plain Prometheus cannot read")
	}
}

func TestMetricValues(t *testing.T) {
	_, x := scrapeText(t, newBench(t))
	f := func(series string, want float64) {
		t.Helper()
		if got, ok := x.Value(series); !ok || got != want {
			t.Errorf("%s = %v (there: %v), want %v", series, got, ok, want)
		}
	}
	f(`pushd_build_info{version="1.2.3",go="go1.26"}`, 1)
	f("pushd_uptime_seconds", 100.5)
	f("pushd_ready", 1)
	f("pushd_draining", 0)
	f("pushd_knob_revision", 7)
	f("pushd_knob_fleet_revision", 418)
	f("pushd_knob_drift", 2)
	f("pushd_keeper_connected", 1)
	f(`pushd_connections{proto="ws"}`, 1000)
	f(`pushd_connections{proto="sse"}`, 0)
	f("pushd_connections_handshaking", 5)
	f("pushd_connections_max", 20000)
	f("pushd_users", 1000)
	f("pushd_groups", 3)
	f(`pushd_accepted_rate{window="1s"}`, 11)
	f(`pushd_published_rate{window="10s"}`, 1.2)
	f(`pushd_delivered_rate{window="100s"}`, 0.13)
	f(`pushd_out_bytes_rate{window="1s"}`, 14)
	f(`pushd_received_rate{window="1s"}`, 15)
	f(`pushd_dropped_rate{window="1s"}`, 16)
	f(`pushd_closed_rate{window="1s"}`, 17)
	f("pushd_accepted_total", 21)
	f("pushd_published_total", 22)
	f("pushd_absent_total", 23)
	f("pushd_kept_total", 24)
	f("pushd_delivered_total", 25)
	f("pushd_out_bytes_total", 26)
	f("pushd_received_total", 27)
	f("pushd_pings_total", 28)
	f("pushd_writes_total", 29)
	f("pushd_would_wait_total", 30)
	f("pushd_uplink_none_total", 31)
	f("pushd_queued_messages", 41)
	f("pushd_queued_bytes", 42)
	f(`pushd_queued_level_messages{window="10s"}`, 4.3)
	f("pushd_queued_oldest_seconds", 4.4)
	f("pushd_queued_connections", 45)
	f("pushd_queued_over_soft_connections", 46)
	f("pushd_queued_over_hard_connections", 47)
	f(`pushd_dropped_total{reason="overflow"}`, 51)
	f(`pushd_closed_total{reason="slow"}`, 52)
	f("pushd_cpu_user_seconds_total", 6.1)
	f("pushd_cpu_system_seconds_total", 1.5)
	f("process_cpu_seconds_total", 7.6)
	f("pushd_gc_cpu_ratio", 0.03)
	f("pushd_gc_held", 1)
	f("go_goroutines", 63)
	f("pushd_voluntary_switches_total", 64)
	f("pushd_fds", 65)
	f("pushd_fds_max", 66)
	f("process_open_fds", 65)
	f("process_max_fds", 66)
	f("pushd_listen_overflows_total", 67)
	f("process_start_time_seconds", 1_699_999_999.5)
	f("pushd_memory_pss_bytes", 71)
	f("pushd_memory_rss_bytes", 72)
	f("process_resident_memory_bytes", 72)
	f("pushd_memory_heap_bytes", 73)
	f("pushd_memory_slab_bytes", 74)
	f("pushd_memory_message_bytes", 75)
	f("pushd_memory_message_max_bytes", 76)
	f("pushd_memory_per_connection_bytes", 77)
	f(`pushd_loop_connections{loop="0"}`, 81)
	f(`pushd_loop_connections{loop="2"}`, 86)
	f(`pushd_loop_delivered_rate{loop="0",window="10s"}`, 8.2)
	f(`pushd_loop_queued_messages{loop="0"}`, 83)
	f(`pushd_loop_inbox{loop="0"}`, 84)
	f(`pushd_loop_turn_p99_seconds{loop="0"}`, 0.085)
	f("pushd_loops_silent", 1)
	f(`pushd_loop_silent{loop="0"}`, 0)
	f(`pushd_loop_silent{loop="1"}`, 1)
	f(`pushd_deliver_latency_seconds_bucket{le="0.001"}`, 1)
	f(`pushd_deliver_latency_seconds_bucket{le="+Inf"}`, 2)
	f("pushd_deliver_latency_seconds_count", 2)
	f(`pushd_loop_turn_seconds_bucket{le="0.0001"}`, 1)
	f(`pushd_admin_requests_total{result="failed"}`, 0)
}

// What the kernel says comes from the recorder, in seconds and bytes.
func TestHostMetrics(t *testing.T) {
	b := newBench(t)
	_, x := scrapeText(t, b)
	if _, ok := x.Value("pushd_host_memory_bytes"); ok {
		t.Error("a node without recorder tells of the machine")
	}
	b.c.Recorder = &fakeRecorder{}
	_, x = scrapeText(t, b)
	f := func(series string, want float64) {
		t.Helper()
		if got, ok := x.Value(series); !ok || got != want {
			t.Errorf("%s = %v (there: %v), want %v", series, got, ok, want)
		}
	}
	f(`pushd_host_cpu_seconds_total{mode="user"}`, 1)
	f(`pushd_host_cpu_seconds_total{mode="idle"}`, 7)
	f("pushd_host_cpu_wait_seconds_total", 8)
	f(`pushd_host_stall_seconds_total{for="io"}`, 11)
	f("pushd_host_runnable_threads", 1200)
	if _, ok := x.Value(`pushd_host_stall_seconds_total{for="memory"}`); ok {
		t.Error("a number that the kernel does not keep is shown")
	}
}

func TestAllReasonsAreThereFromTheStart(t *testing.T) {
	b := newBench(t)
	b.node.stats = func(context.Context) (pushdapi.Stats, error) { return pushdapi.Stats{}, nil }
	_, x := scrapeText(t, b)
	for r := push.DropNone + 1; r < push.DropReasonCount; r++ {
		if v, ok := x.Value(`pushd_dropped_total{reason="` + r.String() + `"}`); !ok || v != 0 {
			t.Errorf("drop reason %s: %v, %v", r, v, ok)
		}
	}
	for r := push.CloseNone + 1; r < push.CloseReasonCount; r++ {
		if v, ok := x.Value(`pushd_closed_total{reason="` + r.String() + `"}`); !ok || v != 0 {
			t.Errorf("close reason %s: %v, %v", r, v, ok)
		}
	}
	for p := push.ProtoNone + 1; p < push.ProtoCount; p++ {
		if v, ok := x.Value(`pushd_connections{proto="` + p.String() + `"}`); !ok || v != 0 {
			t.Errorf("protocol %s: %v, %v", p, v, ok)
		}
	}
}

// The number of series depends on the loops and on nothing that clients do.
func TestCardinality(t *testing.T) {
	b := newBench(t)
	list := func(s pushdapi.Stats) []string {
		t.Helper()
		b.node.stats = func(context.Context) (pushdapi.Stats, error) { return s, nil }
		_, x := scrapeText(t, b)
		var series []string
		for _, s := range x.Samples {
			series = append(series, s.Series)
		}
		slices.Sort(series)
		return series
	}
	none := list(someStats(0))
	if d := cmp.Diff(none, list(someStats(1_000_000))); d != "" {
		t.Errorf("a million connections change the series:\n%s", d)
	}
	odd := someStats(1_000_000)
	odd.Connections.ByProto["quic"], odd.DroppedBy["user-17"], odd.ClosedBy["unknown(99)"] = 1, 2, 3
	if d := cmp.Diff(none, list(odd)); d != "" {
		t.Errorf("words that nobody declared make series:\n%s", d)
	}
	if len(none) > 400 {
		t.Errorf("%d series of a node with 3 loops, want at most 400", len(none))
	}
}

// A silent loop is missing in the sums; counters must not go back for it.
func TestCountersNeverGoBack(t *testing.T) {
	b := newBench(t)
	s, delay := someStats(10), new(hist.Log)
	b.node.stats = func(context.Context) (pushdapi.Stats, error) { return s, nil }
	b.c.Histograms = func() []Histogram {
		return []Histogram{{Name: "pushd_deliver_latency_seconds", Log: delay, Bounds: []float64{1}}}
	}
	f := func(delivered, overflow, count float64) {
		t.Helper()
		_, x := scrapeText(t, b)
		for series, want := range map[string]float64{"pushd_delivered_total": delivered,
			`pushd_dropped_total{reason="overflow"}`: overflow, "pushd_deliver_latency_seconds_count": count,
			`pushd_deliver_latency_seconds_bucket{le="1"}`: count, "pushd_queued_messages": float64(s.Queued.Messages)} {
			if got, _ := x.Value(series); got != want {
				t.Errorf("%s = %v, want %v", series, got, want)
			}
		}
	}
	s.Totals.Delivered = 100
	delay.Record(1)
	delay.Record(2)
	f(100, 51, 2)
	s.Totals.Delivered, s.DroppedBy, s.Queued.Messages = 60, nil, 1
	delay.Reset()
	f(100, 51, 2)
	s.Totals.Delivered, s.DroppedBy = 101, map[string]uint64{"overflow": 52}
	for range 3 {
		delay.Record(1)
	}
	f(101, 52, 3)
}

// Prometheus takes a start time that changes for a restart.
func TestStartTimeDoesNotTremble(t *testing.T) {
	b := newBench(t)
	s := someStats(10)
	b.node.stats = func(context.Context) (pushdapi.Stats, error) { return s, nil }
	_, x := scrapeText(t, b)
	first, _ := x.Value("process_start_time_seconds")
	s.At, s.UptimeSeconds = s.At.Add(15*time.Second+3*time.Millisecond), s.UptimeSeconds+15
	_, x = scrapeText(t, b)
	if got, _ := x.Value("process_start_time_seconds"); got != first {
		t.Errorf("the node started at %v, then at %v", first, got)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	b := newBench(t)
	b.ask(t, "GET", "/v1/stats", "")
	b.ask(t, "GET", "/v1/stats?x=1", "")
	b.ask(t, "POST", "/v1/stats", "")
	b.ask(t, "GET", "/v1/knobs/nope.nope", "")
	_, x := scrapeText(t, b)
	for result, want := range map[string]float64{"ok": 1, "invalid": 2, "not_found": 1, "busy": 0} {
		if got, ok := x.Value(requestsName(result)); !ok || got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
}

// Two nodes in one process do not share a number.
func TestTwoNodesAreApart(t *testing.T) {
	one, two := newBench(t), newBench(t)
	one.node.stats = func(context.Context) (pushdapi.Stats, error) { return someStats(5000), nil }
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { one.ask(t, "GET", "/metrics", "") })
		wg.Go(func() { two.ask(t, "GET", "/v1/stats", "") })
	}
	wg.Wait()
	_, x := scrapeText(t, one)
	_, y := scrapeText(t, two)
	if v, _ := x.Value(requestsName("ok")); v != 4 {
		t.Errorf("the first node counts %v scrapes, want 4", v)
	}
	a, _ := x.Value(`pushd_connections{proto="ws"}`)
	b, _ := y.Value(`pushd_connections{proto="ws"}`)
	if a != 5000 || b != 1000 {
		t.Errorf("connections %v and %v, want 5000 and 1000", a, b)
	}
}

func TestPromtool(t *testing.T) {
	b := newBench(t)
	b.c.Recorder = &fakeRecorder{}
	text, _ := scrapeText(t, b)
	problems, ok := promtest.Lint(text)
	if !ok {
		t.Skip("promtool is not installed (Debian: apt install prometheus); the page is checked by promtest's own reader only")
	}
	if problems != "" {
		t.Error(problems)
	}
}
