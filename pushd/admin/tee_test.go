package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// fakeTap serves what a test says.
type fakeTap struct {
	mirror   func(ctx context.Context, t Tee, w Sink) error
	stop     func(id, who string) error
	status   pushdapi.Tap
	total    pushdapi.Tap
	patience time.Duration
}

func (f *fakeTap) Mirror(ctx context.Context, t Tee, w Sink) error { return f.mirror(ctx, t, w) }
func (f *fakeTap) Stop(id, who string) error                       { return f.stop(id, who) }
func (f *fakeTap) Status() pushdapi.Tap                            { return f.status }
func (f *fakeTap) Total() pushdapi.Tap                             { return f.total }
func (f *fakeTap) Patience() time.Duration                         { return max(f.patience, time.Second) }

// busyTap is read by somebody.
func busyTap() *fakeTap {
	return &fakeTap{
		status: pushdapi.Tap{Active: true, Since: time.UnixMilli(1_700_000_050_000), To: "pushctl", Asked: 5, Sample: 2.5, Connections: 7,
			Torn: 1, Sent: map[string]uint64{"in": 4}, BufferBytes: 8, Bytes: 9},
		total: pushdapi.Tap{Sent: map[string]uint64{"in": 14, "publish": 15, "head": 1}, DroppedBy: map[string]uint64{"buffer": 16, "mood": 1},
			Joined: 17, Torn: 18, Bytes: 19, CPUSeconds: 0.2},
	}
}

// Each batch reaches the reader while the tee goes on, which ends with him.
func TestTeeIsHandedOnAtOnce(t *testing.T) {
	b, ended := newBench(t), make(chan error, 1)
	var asked Tee
	next := make(chan string)
	b.c.Tap = &fakeTap{mirror: func(ctx context.Context, t Tee, w Sink) error {
		asked = t
		for {
			select {
			case s := <-next:
				if err := w.Write([]byte(s)); err != nil {
					return err
				}
			case <-ctx.Done():
				ended <- ctx.Err()
				return nil
			}
		}
	}}
	go func() { next <- "pushtee1" }()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	s, err := b.client.Tee(ctx, pushdapi.TeeQuery{Sample: 5, Redact: teewire.RedactNames})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, want := range []string{"pushtee1", "first batch", "second"} {
		if want != "pushtee1" {
			next <- want
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(s, got); err != nil || string(got) != want {
			t.Fatalf("read %q, %v, want %q", got, err, want)
		}
	}
	if asked.Sample != 5 || asked.Redact != teewire.RedactNames || !strings.HasPrefix(asked.To, "pushdapi from 127.0.0.1:") {
		t.Errorf("asked %+v", asked)
	}
	if len(s.ID) != 8 || s.ID != asked.ID {
		t.Errorf("the reader is told id %q, the tap %q", s.ID, asked.ID)
	}
	leave()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the tee goes on without a reader")
	}
}

// The end that a tap gives a stream is a good one.
func TestTeeEndsWell(t *testing.T) {
	b := newBench(t)
	b.c.Tap = &fakeTap{mirror: func(_ context.Context, _ Tee, w Sink) error { return w.Write([]byte("all")) }}
	s, err := b.client.Tee(t.Context(), pushdapi.TeeQuery{Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if all, err := io.ReadAll(s); err != nil || string(all) != "all" {
		t.Errorf("%q, %v", all, err)
	}
}

// What is cut off must not look whole.
func TestATeeThatFailsIsSeen(t *testing.T) {
	b := newBench(t)
	b.c.Tap = &fakeTap{mirror: func(_ context.Context, _ Tee, w Sink) error {
		return errors.Join(w.Write([]byte("half")), errors.New("broken"))
	}}
	s, err := b.client.Tee(t.Context(), pushdapi.TeeQuery{Sample: 1})
	if err == nil {
		_, err = io.ReadAll(s)
		s.Close()
	}
	if err == nil {
		t.Error("it reads like a whole one")
	}
}

// A reader that does not read fails the write after the tap's patience.
func TestTeeGivesUpAReaderThatDoesNotRead(t *testing.T) {
	b, ended := newBench(t), make(chan error, 1)
	b.c.Tap = &fakeTap{patience: time.Second, mirror: func(_ context.Context, _ Tee, w Sink) error {
		batch := make([]byte, 256<<10)
		for {
			if err := w.Write(batch); err != nil {
				ended <- err
				return err
			}
		}
	}}
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/tee?sample=1 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if n, ok := errors.AsType[net.Error](err); !ok || !n.Timeout() {
			t.Errorf("ended with %v, want a timeout", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the tap waits for a reader that does not read")
	}
}

func TestTapAndItsEnd(t *testing.T) {
	b := newBench(t)
	tap := busyTap()
	b.c.Tap = tap
	if s, err := b.client.Tap(t.Context()); err != nil || !s.Active || s.To != "pushctl" || s.Sample != 2.5 || s.Sent["in"] != 4 {
		t.Errorf("%+v, %v", s, err)
	}
	var asked, by string
	tap.stop = func(id, who string) error {
		asked, by = id, who
		return nil
	}
	if err := b.client.StopTeeID(t.Context(), "3f9a1c02"); err != nil || asked != "3f9a1c02" || !strings.HasPrefix(by, "pushdapi ") {
		t.Errorf("asked to stop %q by %q, %v", asked, by, err)
	}
	if err := b.client.StopTee(t.Context()); err != nil || asked != "" {
		t.Errorf("asked to stop %q, not whichever reads, %v", asked, err)
	}
	tap.stop = func(string, string) error { return refuse(http.StatusConflict, "another", "somebody else reads") }
	err := b.client.StopTeeID(t.Context(), "3f9a1c02")
	if e, ok := errors.AsType[*pushdapi.Error](err); !ok || e.Status != http.StatusConflict || e.Code != "another" {
		t.Errorf("of another tee: %v", err)
	}
}

func TestTeeRefusals(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/v1/tee?sample=1", "/v1/tap"} {
		b.refused(t, "GET", path, "", http.StatusNotFound, "not_found", "no tap")
	}
	b.refused(t, "DELETE", "/v1/tee", "", http.StatusNotFound, "not_found", "no tap")
	b.c.Tap = &fakeTap{
		mirror: func(context.Context, Tee, Sink) error { return refuse(http.StatusConflict, "busy", "somebody reads") },
		stop:   func(string, string) error { return refuse(http.StatusNotFound, "not_found", "nobody reads") },
	}
	b.refused(t, "GET", "/v1/tee", "", http.StatusBadRequest, "bad_query", "sample", "percent")
	b.refused(t, "GET", "/v1/tee?sample=0", "", http.StatusBadRequest, "bad_query", "0.01 to 100")
	b.refused(t, "GET", "/v1/tee?sample=1&redact=x", "", http.StatusBadRequest, "bad_query", "payload, names, off")
	b.refused(t, "GET", "/v1/tee?sample=1&speed=2", "", http.StatusBadRequest, "bad_query", "known are sample, redact")
	b.refused(t, "GET", "/v1/tee?sample=1", "", http.StatusConflict, "busy", "somebody reads")
	b.refused(t, "DELETE", "/v1/tee", "", http.StatusNotFound, "not_found", "nobody reads")
	b.refused(t, "DELETE", "/v1/tee?id=", "", http.StatusBadRequest, "bad_query", "id is empty")
	b.refused(t, "DELETE", "/v1/tee?node=1", "", http.StatusBadRequest, "bad_query", "known are id")
	b.refused(t, "GET", "/v1/tap?x=1", "", http.StatusBadRequest, "bad_query", "x")
	b.refused(t, "PUT", "/v1/tee", "", http.StatusMethodNotAllowed, "method", "DELETE, GET, HEAD")
}

func TestTeeIsNotForPagesOfOtherOrigins(t *testing.T) {
	b := newBench(t)
	b.c.Tap = &fakeTap{mirror: func(context.Context, Tee, Sink) error { return nil }}
	f := func(site string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/v1/tee?sample=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if site != "" {
			req.Header.Set("Sec-Fetch-Site", site)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %s, want %d", site, resp.Status, want)
		}
	}
	f("", 200)
	f("none", 200)
	f("same-origin", 200)
	f("same-site", 403)
	f("cross-site", 403)
}

func TestAsker(t *testing.T) {
	f := func(agent, addr, want string) {
		t.Helper()
		r := &http.Request{Header: http.Header{"User-Agent": {agent}}, RemoteAddr: addr}
		if got := asker(r); got != want {
			t.Errorf("%q from %q: %q, want %q", agent, addr, got, want)
		}
	}
	f("pushctl/1", "127.0.0.1:99", "pushctl/1 from 127.0.0.1:99")
	f("pushctl/1", "@", "pushctl/1 by the admin socket")
	f("", "", "somebody by the admin socket")
	f("a\nb c\x1b[31m", "@", "abc[31m by the admin socket")
	f(strings.Repeat("x", 99), "@", strings.Repeat("x", askerMax)+" by the admin socket")
}

func TestTapMetrics(t *testing.T) {
	b := newBench(t)
	f := func(want map[string]float64) {
		t.Helper()
		_, x := scrapeText(t, b)
		for series, want := range want {
			if got, ok := x.Value(series); !ok || got != want {
				t.Errorf("%s = %v (there: %v), want %v", series, got, ok, want)
			}
		}
	}
	f(map[string]float64{"pushd_tap_active": 0, "pushd_tap_started_timestamp_seconds": 0, `pushd_tap_records_total{kind="out"}`: 0,
		`pushd_tap_dropped_total{reason="size"}`: 0, "pushd_shadow": 0, `pushd_shadow_cut_total{what="uplink"}`: 0})
	tap := busyTap()
	b.c.Tap = tap
	b.node.stats = func(context.Context) (pushdapi.Stats, error) {
		s := someStats(10)
		s.Shadow, s.ShadowCut, s.KnobsChanged = true, map[string]uint64{"uplink": 3, "moon": 1}, 4
		return s, nil
	}
	f(map[string]float64{"pushd_tap_active": 1, "pushd_tap_started_timestamp_seconds": 1_700_000_050, "pushd_tap_sample_percent": 2.5,
		"pushd_tap_connections": 7, "pushd_tap_buffer_bytes": 8, `pushd_tap_records_total{kind="in"}`: 14, `pushd_tap_records_total{kind="publish"}`: 15,
		`pushd_tap_dropped_total{reason="buffer"}`: 16, "pushd_tap_joined_total": 17, "pushd_tap_torn_total": 18, "pushd_tap_bytes_total": 19,
		"pushd_tap_cpu_seconds_total": 0.2, "pushd_shadow": 1, `pushd_shadow_cut_total{what="uplink"}`: 3, "pushd_knob_changed": 4})
	tap.status.Active = false // its books remain
	f(map[string]float64{"pushd_tap_active": 0, "pushd_tap_started_timestamp_seconds": 0, "pushd_tap_sample_percent": 0, "pushd_tap_connections": 0,
		`pushd_tap_records_total{kind="in"}`: 14})
}
