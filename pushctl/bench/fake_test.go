package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"pushfleet/internal/pushdapi"
)

// fakeNode is a gateway of goroutines with the faults a test asks for.
type fakeNode struct {
	clients net.Listener
	api     *httptest.Server
	// every n-th message (0: none) is left out, or sent twice.
	loseEvery, doubleEvery int
	refuse                 bool // lines of publish
	quiet                  bool // publish is never answered to the end

	mu    sync.Mutex
	users map[string]*fakeClient
	all   map[net.Conn]bool
	n     int
	wg    sync.WaitGroup
}

type fakeClient struct {
	net.Conn
	seq int
}

func newFakeNode(t testing.TB) *fakeNode {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &fakeNode{clients: ln, users: map[string]*fakeClient{}, all: map[net.Conn]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", n.version)
	mux.HandleFunc("GET /v1/stats", n.stats)
	mux.HandleFunc("POST /v1/publish", n.publish)
	mux.HandleFunc("POST /v1/broadcast", n.broadcast)
	n.api = httptest.NewServer(mux)
	n.wg.Add(1)
	go n.accept()
	t.Cleanup(func() {
		ln.Close()
		n.mu.Lock()
		for c := range n.all {
			c.Close()
		}
		n.mu.Unlock()
		n.api.Close()
		n.wg.Wait()
	})
	return n
}

func (n *fakeNode) target(t testing.TB) *Target {
	t.Helper()
	api := pushdapi.New(strings.TrimPrefix(n.api.URL, "http://"), pushdapi.Options{})
	t.Cleanup(api.Close)
	target, err := NewTarget(n.clients.Addr().String(), api)
	if err != nil {
		t.Fatal(err)
	}
	if target.PID != os.Getpid() {
		t.Fatalf("found process %d, want this one, %d", target.PID, os.Getpid())
	}
	return target
}

func (n *fakeNode) accept() {
	defer n.wg.Done()
	for {
		c, err := n.clients.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		n.all[c] = true
		n.mu.Unlock()
		n.wg.Add(1)
		go func() {
			defer n.wg.Done()
			n.serve(c)
			c.Close()
		}()
	}
}

func (n *fakeNode) serve(c net.Conn) {
	user := ""
	up := ws.Upgrader{OnRequest: func(uri []byte) error {
		u, err := url.ParseRequestURI(string(uri))
		if err == nil {
			user = u.Query().Get("user")
		}
		return err
	}}
	if _, err := up.Upgrade(c); err != nil {
		return
	}
	n.mu.Lock()
	n.users[user] = &fakeClient{Conn: c}
	n.mu.Unlock()
	buf := make([]byte, 512)
	for {
		if _, err := c.Read(buf); err != nil {
			break
		}
	}
	n.mu.Lock()
	delete(n.users, user)
	n.mu.Unlock()
}

func (n *fakeNode) version(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(pushdapi.Version{Node: "fake", Version: "test"})
}

func (n *fakeNode) stats(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var s pushdapi.Stats
	s.Connections.Total = int64(len(n.users))
	s.Memory.PSSBytes = 20<<20 + s.Connections.Total*1000
	json.NewEncoder(w).Encode(s)
}

// deliver sends one message with the faults asked for; n.mu is held.
func (n *fakeNode) deliver(c *fakeClient, data json.RawMessage) {
	n.n++
	c.seq++
	if n.loseEvery > 0 && n.n%n.loseEvery == 0 {
		return
	}
	times := 1
	if n.doubleEvery > 0 && n.n%n.doubleEvery == 0 {
		times = 2
	}
	for range times {
		ws.WriteFrame(c, ws.NewTextFrame(fmt.Appendf(nil, `{"seq":%d,"data":%s}`, c.seq, data)))
	}
}

func (n *fakeNode) publish(w http.ResponseWriter, req *http.Request) {
	rc := http.NewResponseController(w)
	rc.EnableFullDuplex()
	w.WriteHeader(200)
	rc.Flush()
	done := pushdapi.PublishResult{Done: true}
	enc := json.NewEncoder(w)
	for s := bufio.NewScanner(req.Body); s.Scan(); {
		var m pushdapi.Send
		if err := json.Unmarshal(s.Bytes(), &m); err != nil || n.refuse {
			enc.Encode(pushdapi.PublishResult{Line: done.Lines + 1, Error: "refused"})
			done.Lines++
			continue
		}
		n.mu.Lock()
		if c := n.users[m.User]; c != nil {
			n.deliver(c, m.Data)
			done.Delivered++
		} else {
			done.Absent++
		}
		n.mu.Unlock()
		if done.Lines++; done.Lines%100 == 0 {
			enc.Encode(pushdapi.PublishResult{Lines: 100, Result: pushdapi.Result{Delivered: 100}})
			rc.Flush()
		}
	}
	if !n.quiet {
		enc.Encode(done)
	}
}

func (n *fakeNode) broadcast(w http.ResponseWriter, req *http.Request) {
	var m pushdapi.Send
	json.NewDecoder(req.Body).Decode(&m)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.users {
		n.deliver(c, m.Data)
	}
	json.NewEncoder(w).Encode(pushdapi.Result{Delivered: uint64(len(n.users))})
}
