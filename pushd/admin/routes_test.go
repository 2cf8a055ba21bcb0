package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/stats"
)

func TestClientReadsWhatIsServed(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	b.closed.Add(stats.ClosedConn{Handle: push.MakeHandle(0, 1, 2, 3), Reason: push.CloseSlow, User: "ann"})
	b.closed.Add(stats.ClosedConn{Handle: push.MakeHandle(0, 1, 4, 3), Reason: push.CloseGone, User: "bob"})

	if s, err := b.client.Stats(ctx); err != nil || s.Node != "gw-1" || s.DroppedBy["overflow"] != 51 {
		t.Errorf("Stats: %+v, %v", s, err)
	}
	if v, err := b.client.Version(ctx); err != nil || v.Version != "1.2.3" {
		t.Errorf("Version: %+v, %v", v, err)
	}
	if c, err := b.client.Conn(ctx, "7:3.1f20.2"); err != nil || c.Conn != "7:3.1f20.2" || c.Cause.Kind != "client" {
		t.Errorf("Conn: %+v, %v", c, err)
	}
	if rows, err := b.client.Closed(ctx, "slow", 0); err != nil || len(rows) != 1 || rows[0].User != "ann" {
		t.Errorf("Closed of slow: %+v, %v", rows, err)
	}
	if rows, err := b.client.Closed(ctx, "", 1); err != nil || len(rows) != 1 || rows[0].User != "bob" {
		t.Errorf("Closed, one: %+v, %v", rows, err)
	}
	if rows, err := b.client.Closed(ctx, "kicked", 1); err != nil || rows == nil || len(rows) != 0 {
		t.Errorf("Closed of kicked: %+v, %v; want an empty list", rows, err)
	}
}

func TestTopAsksTheNode(t *testing.T) {
	b := newBench(t)
	f := func(q pushdapi.TopQuery, by stats.By, window, n int, where string) {
		t.Helper()
		top, err := b.client.Top(t.Context(), q)
		if err != nil || top.Rows == nil {
			t.Errorf("Top(%+v): %+v, %v", q, top, err)
			return
		}
		got := b.node.asked.Load()
		text := ""
		if got.Where != nil {
			text = got.Where.String()
		}
		if got.By != by || got.Window != window || got.N != n || text != where || got.Node != "gw-1" {
			t.Errorf("Top(%+v) asked %+v", q, got)
		}
	}
	f(pushdapi.TopQuery{}, stats.ByWait, 10, stats.RowsDefault, "")
	f(pushdapi.TopQuery{By: "queued", Window: 100, N: 3, Where: "queued > 100"}, stats.ByQueued, 100, 3, "queued > 100")
}

func TestKick(t *testing.T) {
	b := newBench(t)
	status, _, text := b.ask(t, "DELETE", "/v1/conns/3.1f20.2", "")
	if status != http.StatusNoContent || text != "" {
		t.Errorf("%d %q, want 204 without a body", status, text)
	}
	if h := push.Handle(b.node.kicked.Load()); h.String() != "3.1f20.2" || push.CloseReason(b.node.why.Load()) != push.CloseKicked {
		t.Errorf("kicked %s for %s", h, push.CloseReason(b.node.why.Load()))
	}
	b.node.connErr = ErrNotFound
	b.refused(t, "DELETE", "/v1/conns/3.1f20.2", "", 404, "not_found", "gw-1", "pushctl closed")
	b.refused(t, "GET", "/v1/conns/3.1f20.2", "", 404, "not_found", "gw-1")
}

func TestRefusals(t *testing.T) {
	b := newBench(t)
	b.refused(t, "GET", "/v1/stats?x=1", "", 400, "bad_query", `"x"`)
	b.refused(t, "GET", "/v1/top?widow=1", "", 400, "bad_query", `"widow"`, "window")
	b.refused(t, "GET", "/v1/top?n=1&n=2", "", 400, "bad_query", "n", "once")
	b.refused(t, "GET", "/v1/top?n=100000", "", 400, "bad_query", "1000")
	b.refused(t, "GET", "/v1/top?n=-1", "", 400, "bad_query", "-1")
	b.refused(t, "GET", "/v1/top?window=7", "", 400, "bad_query", "1, 10 or 100")
	b.refused(t, "GET", "/v1/top?by=size", "", 400, "bad_query", "size", "queued")
	b.refused(t, "GET", "/v1/top?where=queued+%3E", "", 400, "bad_query", "fields are")
	b.refused(t, "GET", "/v1/top?where=%zz", "", 400, "bad_query", "%zz")
	b.refused(t, "GET", "/v1/conns/17", "", 400, "bad_conn", "LOOP.SLOT.GENERATION", "pushctl top")
	b.refused(t, "DELETE", "/v1/conns/1.zz.1", "", 400, "bad_conn", "zz")
	b.refused(t, "GET", "/v1/closed?reason=sleepy", "", 400, "bad_query", "sleepy", "heartbeat")
	b.refused(t, "GET", "/v1/closed?reason=none", "", 400, "bad_query", "none")
	b.refused(t, "GET", "/v1/closed?n=1e3", "", 400, "bad_query", "1e3")
	b.refused(t, "GET", "/v1/version?v=1", "", 400, "bad_query", `"v"`)
	b.refused(t, "GET", "/v1/trace", "", 400, "bad_query", "user")
	b.refused(t, "GET", "/v1/trace?user="+strings.Repeat("u", push.UserIDMax+1), "", 400, "bad_query", "255")
}

func TestUnknownPathsAreRefused(t *testing.T) {
	b := newBench(t)
	b.refused(t, "GET", "/", "", 404, "not_found", "PROTOCOL.md")
	b.refused(t, "POST", "/v1/nope", "", 404, "not_found", "/v1/nope")
	b.refused(t, "GET", "/v1/conns/1.1.1/more", "", 404, "not_found")
}

func TestOtherMethodsAreRefusedWithAllow(t *testing.T) {
	b := newBench(t)
	f := func(method, path, allow string) {
		t.Helper()
		b.refused(t, method, path, "", 405, "method", allow)
		if _, h, _ := b.ask(t, method, path, ""); h.Get("Allow") != allow {
			t.Errorf("%s %s: Allow: %q, want %q", method, path, h.Get("Allow"), allow)
		}
	}
	f("POST", "/v1/stats", "GET, HEAD")
	f("PUT", "/v1/conns/1.1.1", "DELETE, GET, HEAD")
	f("DELETE", "/v1/knobs/a.b", "GET, HEAD, PUT")
	f("POST", "/v1/knobs", "GET, HEAD")
	f("DELETE", "/v1/closed", "GET, HEAD")
	f("POST", "/v1/trace", "GET, HEAD")
	f("POST", "/v1/top", "GET, HEAD")
	f("POST", "/v1/version", "GET, HEAD")
	f("POST", "/metrics", "GET, HEAD")
	f("POST", "/healthz", "GET, HEAD")
	f("POST", "/readyz", "GET, HEAD")
	f("POST", "/debug/pprof/heap", "GET, HEAD")
}

func TestErrorsOfTheNode(t *testing.T) {
	b := newBench(t)
	fail := func(err error) {
		b.node.stats = func(context.Context) (pushdapi.Stats, error) { return pushdapi.Stats{}, err }
	}
	for _, path := range []string{"/v1/stats", "/metrics"} {
		fail(errors.New("loop 3 is gone"))
		b.refused(t, "GET", path, "", 500, "failed", "loop 3 is gone")
		fail(refuse(503, "draining", "the node stops"))
		b.refused(t, "GET", path, "", 503, "draining", "the node stops")
	}
	if _, err := b.registry.Set("admin.timeout", "100ms", "test", ""); err != nil {
		t.Fatal(err)
	}
	b.node.stats = func(ctx context.Context) (pushdapi.Stats, error) {
		select {
		case <-ctx.Done():
			return pushdapi.Stats{}, ctx.Err()
		case <-time.After(time.Minute):
			return pushdapi.Stats{}, nil
		}
	}
	b.refused(t, "GET", "/v1/stats", "", 504, "timeout", "100ms", "admin.timeout")
	b.refused(t, "GET", "/metrics", "", 504, "timeout", "admin.timeout")
}

func TestHealthAndReadiness(t *testing.T) {
	b := newBench(t)
	f := func(path string, status int, want string) {
		t.Helper()
		if got, _, text := b.ask(t, "GET", path, ""); got != status || !strings.Contains(text, want) {
			t.Errorf("%s: %d %q, want %d %q", path, got, text, status, want)
		}
	}
	f("/healthz", 200, "alive, ready\n")
	f("/readyz", 200, "ready\n")
	err := errors.New("draining")
	b.ready.Store(&err)
	f("/healthz", 200, "alive, not ready: draining\n")
	f("/readyz", 503, `"code":"not_ready"`)
	f("/readyz", 503, "draining")
}

func TestBusy(t *testing.T) {
	b := newBench(t)
	if _, err := b.registry.Set("admin.concurrency", "2", "test", ""); err != nil {
		t.Fatal(err)
	}
	var inside atomic.Int32
	release := make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	b.node.stats = func(context.Context) (pushdapi.Stats, error) {
		inside.Add(1)
		<-release
		return someStats(1), nil
	}
	asked := func(n int32) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d requests to be inside", n), func() bool { return inside.Load() == n })
	}
	done := make(chan error, 3)
	ask := func(f func(context.Context) error) { go func() { done <- f(t.Context()) }() }
	stat := func(ctx context.Context) error { _, err := b.client.Stats(ctx); return err }
	ask(stat)
	ask(stat)
	asked(2)
	b.refused(t, "GET", "/v1/knobs", "", 503, "busy", "admin.concurrency")
	if _, h, _ := b.ask(t, "GET", "/v1/top", ""); h.Get("Retry-After") == "" {
		t.Error("busy without Retry-After")
	}
	// One scrape gets through, a second does not; health needs no place.
	ask(func(context.Context) error {
		status, _, text := b.ask(t, "GET", "/metrics", "")
		if status != 200 {
			return errors.New(text)
		}
		return nil
	})
	asked(3)
	b.refused(t, "GET", "/metrics", "", 503, "busy")
	if status, _, _ := b.ask(t, "GET", "/healthz", ""); status != 200 {
		t.Errorf("healthz: %d while busy", status)
	}
	let()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "places to be free", func() bool { return b.work.n.Load() == 0 })
	if status, _, _ := b.ask(t, "GET", "/v1/knobs", ""); status != 200 {
		t.Errorf("knobs: %d when nobody asks any more", status)
	}
}

func TestNewNeedsASource(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New without a Source did not panic")
		}
	}()
	New(Config{})
}
