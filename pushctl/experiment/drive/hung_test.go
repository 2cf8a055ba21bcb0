package drive

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// hungShadow says that it is there, takes connections and messages, and
// answers none of them.
func hungShadow(t *testing.T) *pushdapi.Client {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	over := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/stats", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(pushdapi.Stats{Node: "hung", Shadow: true, Clients: []string{ln.Addr().String()}})
	})
	mux.HandleFunc("POST /v1/publish", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until the driver gives up
	})
	mux.HandleFunc("POST /v1/broadcast", func(w http.ResponseWriter, r *http.Request) { <-over })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(over) })
	c := pushdapi.New(strings.TrimPrefix(srv.URL, "http://"), pushdapi.Options{Timeout: time.Minute})
	t.Cleanup(c.Close)
	return c
}

// A shadow that answers nothing holds the end up for a bounded time.
func TestShadowHangs(t *testing.T) {
	c := hungShadow(t)
	d, err := New(Options{Shadow: c, Delay: time.Millisecond, LateMax: time.Minute, ConnsMax: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings()) > 0 {
		t.Errorf("warnings %q", d.Warnings())
	}
	d.settle = 300 * time.Millisecond
	f := newFeed(t)
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	f.in(1, `{"type":"ping"}`)
	f.to("a", `1`)
	f.publish(teewire.Message{Data: []byte(`2`)})
	f.stop()
	if err := d.Run(t.Context(), teewire.NewReader(f)); err != nil {
		t.Errorf("Run: %v", err)
	}
	n := d.Counts()
	exact(t, &n)
	if n.Dropped["open"][DropRefused] != 1 || n.Dropped["in"][DropRefused] != 1 || n.Dropped["publish"][DropLost] != 2 || len(n.Pending) > 0 {
		t.Errorf("counts %+v", n)
	}
}

// What the driver does not wait for because it is ended is not the shadow's loss.
func TestEndedWhileTheShadowHangs(t *testing.T) {
	d, err := New(Options{Shadow: hungShadow(t), Delay: time.Millisecond, LateMax: time.Minute, ConnsMax: 10})
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(t)
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	f.in(1, `{"type":"ping"}`)
	f.to("a", `1`)
	f.publish(teewire.Message{Data: []byte(`2`)})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, teewire.NewReader(f)) }() // ended by stop
	wait(t, "all wait for the shadow", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		w := &d.books.waiting
		return w[teewire.KindOpen] == 1 && w[teewire.KindIn] == 1 && w[teewire.KindPublish] == 2
	})
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	n := d.Counts()
	exact(t, &n)
	for kind, want := range map[string]uint64{"open": 1, "in": 1, "publish": 2} {
		if n.Dropped[kind][DropEnded] != want || len(n.Dropped[kind]) != 1 {
			t.Errorf("%s dropped %v, want %d %s", kind, n.Dropped[kind], want, DropEnded)
		}
	}
	if len(n.Pending) > 0 || len(n.Excluded) > 0 {
		t.Errorf("pending %v, excluded %v", n.Pending, n.Excluded)
	}
}
