package api

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/hist"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/prom"
	"pushfleet/internal/prom/promtest"
	"pushfleet/keeper/state"
)

var update = flag.Bool("update", false, "rewrite testdata/metrics.txt")

// scrape returns the page of a keeper with one node, and wants it without
// problems.
func scrape(t *testing.T, s *Server) (string, *promtest.Page) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.metrics(w, nil, identity{}); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != prom.ContentType {
		t.Errorf("content type %q", got)
	}
	x := promtest.Read(w.Body.String(), "version", "go", "state", "layer", "result")
	for _, p := range x.Problems {
		t.Error(p)
	}
	return w.Body.String(), x
}

func figured(t *testing.T) (*solo, *Server) {
	t.Helper()
	m, s := newSolo(t, func() keeperapi.Time { return 3000 })
	proposals := hist.NewLE(hist.LatencyBounds()...)
	proposals.Observe(0.002)
	s.cfg.Figures = func() Figures {
		return Figures{Contact: 250 * time.Millisecond, Elections: 2, InFlight: 3, Applied: 4, Appends: 5, AppendsFailed: 6,
			Entries: 7, AppendTime: 8 * time.Second, DiskFree: 9, DiskWaits: true, Proposals: proposals}
	}
	return m, s
}

// TestMetricNames holds the names to testdata/metrics.txt: dashboards and
// alerts of users depend on them. go test -run MetricNames -update rewrites it.
func TestMetricNames(t *testing.T) {
	_, s := figured(t)
	_, x := scrape(t, s)
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
}

func TestMetricValues(t *testing.T) {
	m, s := figured(t)
	if _, err := m.Propose(t.Context(), state.Command{Op: state.OpTxn, Body: keeperapi.Txn{Changes: []keeperapi.Assign{
		{Knob: "a.max", Scope: keeperapi.NodeScope("n1"), Value: "2"}}}}); err != nil {
		t.Fatal(err)
	}
	s.requests.count("range")
	s.requests.count("a code of tomorrow")
	_, x := scrape(t, s)
	f := func(series string, want float64) {
		t.Helper()
		if got, ok := x.Value(series); !ok || got != want {
			t.Errorf("%s = %v (there: %v), want %v", series, got, ok, want)
		}
	}
	f("keeper_embedded", 0)
	f("keeper_leader", 0)
	f("keeper_has_leader", 0)
	f("keeper_elections_total", 2)
	f("keeper_leader_contact_seconds", 0.25)
	f(`keeper_members{state="ok"}`, 0)
	f("keeper_applied_index", 4)
	f("keeper_log_appends_total", 5)
	f("keeper_log_append_failures_total", 6)
	f("keeper_log_entries_total", 7)
	f("keeper_log_append_seconds_total", 8)
	f("keeper_disk_waiting", 1)
	f("keeper_disk_free_bytes", 9)
	f("keeper_proposals_in_flight", 3)
	f(`keeper_proposal_seconds_bucket{le="0.0025"}`, 1)
	f(`keeper_proposal_seconds_bucket{le="0.001"}`, 0)
	f("keeper_proposal_seconds_count", 1)
	f(`keeper_nodes{state="behind"}`, 1)
	f(`keeper_nodes{state="dead"}`, 0)
	f("keeper_nodes_alive", 1)
	f("keeper_drift_knobs", 0)
	f(`keeper_values{layer="node"}`, 1)
	f(`keeper_values{layer="fleet"}`, 0)
	f("keeper_node_value_oldest_seconds", 2)
	f("keeper_rollouts_running", 0)
	f("keeper_rollout_oldest_seconds", 0)
	f(`keeper_requests_total{result="range"}`, 1)
	f(`keeper_requests_total{result="other"}`, 1)
	f(`keeper_requests_total{result="ok"}`, 0)
}

func TestMembersByState(t *testing.T) {
	p := prom.New(new(prom.Floor))
	memberMetrics(p, &keeperapi.Status{Role: "leader", LeaderID: "k1", UptimeMS: 1500, Members: []keeperapi.Member{
		{ID: "k1", Known: true, OK: true}, {ID: "k2", Known: true, OK: true}, {ID: "k3", Known: true}, {ID: "k4"}}}, &Figures{Contact: -1})
	x := promtest.Read(string(p.Bytes()), "version", "go", "state")
	for series, want := range map[string]float64{`keeper_members{state="ok"}`: 2, `keeper_members{state="failing"}`: 1,
		`keeper_members{state="unknown"}`: 1, "keeper_leader": 1, "keeper_has_leader": 1, "keeper_leader_contact_seconds": 1.5} {
		if got, ok := x.Value(series); !ok || got != want {
			t.Errorf("%s = %v (there: %v), want %v", series, got, ok, want)
		}
	}
}

// Prometheus takes a start time that changes for a restart.
func TestStartTimeDoesNotTremble(t *testing.T) {
	_, s := figured(t)
	_, x := scrape(t, s)
	first, ok := x.Value("process_start_time_seconds")
	<-time.After(5 * time.Millisecond)
	_, x = scrape(t, s)
	if again, _ := x.Value("process_start_time_seconds"); !ok || again != first {
		t.Errorf("the keeper started at %v, then at %v", first, again)
	}
}

// The number of series does not grow with nodes, knobs or rollouts.
func TestMetricCardinality(t *testing.T) {
	m, s := figured(t)
	_, before := scrape(t, s)
	for i := range 50 {
		if _, err := m.Propose(t.Context(), state.Command{Op: state.OpJoin, Body: keeperapi.Join{ID: "more-" + strconv.Itoa(i), LeaseMS: 1000}}); err != nil {
			t.Fatal(err)
		}
	}
	_, after := scrape(t, s)
	if len(before.Samples) != len(after.Samples) {
		t.Errorf("%d series with one node, %d with 51", len(before.Samples), len(after.Samples))
	}
	if n := len(before.Samples); n > 250 {
		t.Errorf("%d series, want at most 250", n)
	}
	if v, _ := after.Value(`keeper_nodes{state="dead"}`); v != 50 {
		t.Errorf("%v dead nodes, want 50", v)
	}
}

// A code without its series would be counted as other.
func TestEveryCodeHasASeries(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/keeperapi/result.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "Code" {
			return true
		}
		word, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil || !slices.Contains(requestResults(), word) {
			t.Errorf("%s (%q, %v) is not among requestResults", v.Names[0].Name, word, err)
		}
		found++
		return true
	})
	if found < 20 {
		t.Errorf("only %d codes found; has the file moved?", found)
	}
}

func TestPromtool(t *testing.T) {
	_, s := figured(t)
	text, _ := scrape(t, s)
	problems, ok := promtest.Lint(text)
	if !ok {
		t.Skip("promtool is not installed (Debian: apt install prometheus); the page is checked by promtest's own reader only")
	}
	if problems != "" {
		t.Error(problems)
	}
}
