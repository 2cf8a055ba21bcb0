package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// openTrace asks for a trace and returns its lines as they come. A trace from
// which nothing comes ends with an error after some seconds.
func openTrace(t *testing.T, ctx context.Context, b *bench) (*http.Response, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", b.url+"/v1/trace?user=ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewScanner(resp.Body)
}

func TestTraceIsFlushedPerEventAndEndsWithTheReader(t *testing.T) {
	b := newBench(t)
	events, ended := make(chan pushdapi.TraceEvent), make(chan string, 1)
	b.node.trace = func(ctx context.Context, user string, emit func(pushdapi.TraceEvent) error) error {
		for {
			select {
			case e := <-events:
				if err := emit(e); err != nil {
					return err
				}
			case <-ctx.Done():
				ended <- user
				return nil
			}
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() { events <- pushdapi.TraceEvent{Event: "open", User: "ann", Conn: "1.2.3"} }()
	resp, lines := openTrace(t, ctx, b)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	next := func() (e pushdapi.TraceEvent) {
		t.Helper()
		for lines.Scan() {
			if len(lines.Bytes()) == 0 {
				continue // heartbeat
			}
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			return e
		}
		t.Fatalf("the trace ended: %v", lines.Err())
		return e
	}
	if e := next(); e.Event != "open" || e.Conn != "1.2.3" {
		t.Errorf("got %+v", e)
	}
	events <- pushdapi.TraceEvent{} // shown as a heartbeat only
	events <- pushdapi.TraceEvent{Event: "drop", Seq: 7}
	if e := next(); e.Event != "drop" || e.Seq != 7 {
		t.Errorf("got %+v", e)
	}
	leave()
	select {
	case user := <-ended:
		if user != "ann" {
			t.Errorf("traced %q", user)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the trace goes on without a reader")
	}
	eventually(t, "the place to be free", func() bool { return b.traces.n.Load() == 0 })
}

func TestTraceHasHeartbeats(t *testing.T) {
	b := newBench(t)
	if _, err := b.registry.Set("admin.trace_heartbeat", "10ms", "test", ""); err != nil {
		t.Fatal(err)
	}
	b.node.trace = func(ctx context.Context, _ string, _ func(pushdapi.TraceEvent) error) error {
		<-ctx.Done()
		return nil
	}
	_, lines := openTrace(t, t.Context(), b)
	for range 3 {
		if !lines.Scan() || lines.Text() != "" {
			t.Fatalf("got %q (%v), want an empty line", lines.Text(), lines.Err())
		}
	}
}

// A reader whose window is full must not hold the trace for ever.
func TestTraceEndsWhenTheReaderDoesNotRead(t *testing.T) {
	b := newBench(t)
	if _, err := b.registry.Set("admin.timeout", "100ms", "test", ""); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	b.node.trace = func(_ context.Context, _ string, emit func(pushdapi.TraceEvent) error) error {
		e := pushdapi.TraceEvent{Event: "offer", Note: strings.Repeat("x", 64<<10)}
		for {
			if err := emit(e); err != nil {
				ended <- err
				return err
			}
		}
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /v1/trace?user=ann HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if n, ok := errors.AsType[net.Error](err); !ok || !n.Timeout() {
			t.Errorf("ended with %v, want a timeout", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the trace waits for a reader that does not read")
	}
	eventually(t, "the place to be free", func() bool { return b.traces.n.Load() == 0 })
}

func TestTraceRefusals(t *testing.T) {
	b := newBench(t)
	b.node.trace = func(context.Context, string, func(pushdapi.TraceEvent) error) error {
		return errors.New("no loop answers")
	}
	b.refused(t, "GET", "/v1/trace?user=ann", "", 500, "failed", "no loop answers")
	b.node.trace = func(ctx context.Context, _ string, _ func(pushdapi.TraceEvent) error) error {
		<-ctx.Done()
		return nil
	}
	if _, err := b.registry.Set("admin.traces_max", "1", "test", ""); err != nil {
		t.Fatal(err)
	}
	openTrace(t, t.Context(), b)
	b.refused(t, "GET", "/v1/trace?user=bob", "", 503, "busy", "admin.traces_max")
	if status, _, _ := b.ask(t, "GET", "/v1/stats", ""); status != 200 {
		t.Errorf("stats: %d while a trace is open", status)
	}
}

// The node may end a trace when it stops; the connection stays usable.
func TestTraceEndedByTheNode(t *testing.T) {
	b := newBench(t)
	b.node.trace = func(_ context.Context, _ string, emit func(pushdapi.TraceEvent) error) error {
		if err := emit(pushdapi.TraceEvent{Event: "close"}); err != nil {
			return err
		}
		return errors.New("the node stops")
	}
	status, _, text := b.ask(t, "GET", "/v1/trace?user=ann", "")
	if status != 200 || !strings.Contains(text, `"event":"close"`) {
		t.Errorf("%d %q", status, text)
	}
}
