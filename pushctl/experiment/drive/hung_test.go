package drive

import (
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
	d, err := New(Options{Shadow: c, Delay: time.Millisecond, ConnsMax: 10})
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
