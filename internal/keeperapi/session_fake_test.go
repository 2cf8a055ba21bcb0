package keeperapi

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds waits of tests: nothing takes so long.
const patience = 30 * time.Second

// keeper is the other end of a session, driven by a test.
type keeper struct {
	*httptest.Server
	conns chan *keeperConn

	mu     sync.Mutex
	refuse *Error
	asked  int
}

func newKeeper(t *testing.T) *keeper {
	k := &keeper{conns: make(chan *keeperConn, 16)}
	k.Server = httptest.NewServer(k)
	t.Cleanup(k.Close)
	return k
}

func (k *keeper) addr() string { return k.Listener.Addr().String() }

// turnAway answers with an error from now on, nil takes nodes again.
func (k *keeper) turnAway(e *Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = e
}

func (k *keeper) requests() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.asked++
	refuse := k.refuse
	k.mu.Unlock()
	if refuse != nil {
		w.WriteHeader(http.StatusMisdirectedRequest)
		json.NewEncoder(w).Encode(refuse)
		return
	}
	if r.URL.Path != "/v1/session" || r.Header.Get("Upgrade") != SessionProtocol {
		http.NotFound(w, r)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+SessionProtocol+"\r\n\r\n")
	k.conns <- &keeperConn{Conn: conn, lines: rw.Reader, token: r.Header.Get("Authorization")}
}

// accept returns the next session.
func (k *keeper) accept(t *testing.T) *keeperConn {
	t.Helper()
	select {
	case c := <-k.conns:
		c.t = t
		t.Cleanup(func() { c.Close() })
		return c
	case <-time.After(patience):
		t.Fatal("nobody came")
		return nil
	}
}

type keeperConn struct {
	net.Conn
	t     *testing.T
	lines *bufio.Reader
	token string
}

func (c *keeperConn) say(f KeeperFrame) {
	c.t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(string(b) + "\n")
}

func (c *keeperConn) raw(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Error(err)
	}
}

// next returns the next frame that is no beat, nil at the end.
func (c *keeperConn) next() *NodeFrame {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	for {
		line, err := c.lines.ReadBytes('\n')
		if e, ok := err.(net.Error); ok && e.Timeout() {
			c.t.Fatal("the node says nothing")
		}
		if err != nil {
			return nil
		}
		f := &NodeFrame{}
		if err := json.Unmarshal(line, f); err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		if f.Beat == nil {
			return f
		}
	}
}

// welcome reads the hello and takes the node.
func (c *keeperConn) welcome(member string, beat time.Duration) *Hello {
	c.t.Helper()
	f := c.next()
	if f == nil || f.Hello == nil {
		c.t.Fatalf("no hello but %+v", f)
	}
	c.say(KeeperFrame{NowMS: 1, Welcome: &Welcome{Member: member, Cluster: "test", BeatMS: beat.Milliseconds()}})
	return f.Hello
}

// gone waits until the node has closed the connection.
func (c *keeperConn) gone() {
	c.t.Helper()
	for f := c.next(); f != nil; f = c.next() {
	}
}

// obedient is a handler that takes everything and remembers it.
type obedient struct {
	mu      sync.Mutex
	from    uint64
	updates []Update
	beats   int
}

func (o *obedient) Hello(definition bool) Hello {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := Hello{Join: Join{ID: "gw-1", Schema: "abc"}, From: o.from}
	if definition {
		h.Definition = Schema{{Name: "x", Type: "int", Default: "1"}}
	}
	return h
}

func (o *obedient) Update(u Update) Ack {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from = u.Position
	o.updates = append(o.updates, u)
	return Ack{Offered: u.Revision, Applied: u.Revision}
}

func (o *obedient) Check(c Check) Checked {
	return Checked{Refused: []Refusal{{Knob: "x", Reason: "never " + c.Values["x"]}}}
}

func (o *obedient) Beat() Beat {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.beats++
	return Beat{Health: "serving"}
}

// follow runs a session over these keepers for the test.
func follow(t *testing.T, h Handler, keepers ...*keeper) (s *Session, stop func()) {
	var addrs []string
	for _, k := range keepers {
		addrs = append(addrs, k.addr())
	}
	return run(t, addrs, h, slog.New(slog.DiscardHandler))
}

// run is follow with a log.
func run(t *testing.T, addrs []string, h Handler, log *slog.Logger) (s *Session, stop func()) {
	return runWith(t, NewClient(addrs, ClientOptions{Token: "secret"}), h, log)
}

func runWith(t *testing.T, c *Client, h Handler, log *slog.Logger) (s *Session, stop func()) {
	s = c.NewSession(h, log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the session does not end")
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// until waits for a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func contains(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }
