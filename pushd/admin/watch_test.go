package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// watching is a Watcher that is a function.
type watching func(context.Context, push.Handle, time.Duration) (pushdapi.Watched, error)

func (f watching) Watch(ctx context.Context, h push.Handle, d time.Duration) (pushdapi.Watched, error) {
	return f(ctx, h, d)
}

func newWatchBench(t *testing.T, f watching) *bench {
	t.Helper()
	r := knob.NewRegistry()
	b := &bench{node: &fake{}, registry: r, limits: NewKnobs(r)}
	b.API = New(Config{Source: b.node, Knobs: r, Limits: b.limits, Watcher: f, Version: pushdapi.Version{Node: "gw-1"}})
	mux := http.NewServeMux()
	b.Register(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	b.url, b.client = s.URL, pushdapi.New(s.URL, pushdapi.Options{})
	t.Cleanup(b.client.Close)
	return b
}

func TestWatch(t *testing.T) {
	b := newWatchBench(t, func(_ context.Context, h push.Handle, d time.Duration) (pushdapi.Watched, error) {
		if h.String() != "1.2.3" {
			return pushdapi.Watched{}, ErrNotFound
		}
		return pushdapi.Watched{OverSeconds: d.Seconds(), Looks: 7}, nil
	})
	for _, d := range []time.Duration{watchMin, 3 * time.Second, pushdapi.WatchMax} {
		if w, err := b.client.Watch(t.Context(), "1.2.3", d); err != nil || w.OverSeconds != d.Seconds() || w.Looks != 7 {
			t.Errorf("%s: %+v, %v", d, w, err)
		}
	}
	if _, _, text := b.ask(t, "GET", "/v1/conns/1.2.3/watch", ""); text == "" {
		t.Error("nothing without ?for")
	}
	b.refused(t, "GET", "/v1/conns/1.2.4/watch", "", 404, "not_found", "pushctl closed")
	b.refused(t, "GET", "/v1/conns/nobody/watch", "", 400, "bad_conn", "pushctl top")
	for _, text := range []string{"5", "0s", "-1s", "499ms", "61s", "soon"} {
		b.refused(t, "GET", "/v1/conns/1.2.3/watch?for="+text, "", 400, "bad_query", "500ms", "1m0s")
	}
	b.refused(t, "GET", "/v1/conns/1.2.3/watch?many=1", "", 400, "bad_query", "many")
	b.refused(t, "POST", "/v1/conns/1.2.3/watch", "", 405, "method")
}

func TestWatchesAreBounded(t *testing.T) {
	inside, out := make(chan struct{}), make(chan struct{})
	b := newWatchBench(t, func(context.Context, push.Handle, time.Duration) (pushdapi.Watched, error) {
		inside <- struct{}{}
		<-out
		return pushdapi.Watched{}, nil
	})
	if _, err := b.registry.Set("admin.watches_max", "1", "test", ""); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { // ended by out
		_, err := b.client.Watch(context.Background(), "1.2.3", time.Second)
		done <- err
	}()
	<-inside
	b.refused(t, "GET", "/v1/conns/1.2.3/watch", "", 503, "busy", "admin.watches_max")
	close(out)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestANodeThatDoesNotWatch(t *testing.T) {
	newBench(t).refused(t, "GET", "/v1/conns/1.2.3/watch", "", 404, "not_found", "pushctl conn")
}
