package session

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"pushfleet/internal/knob"
	"pushfleet/internal/push"
	"pushfleet/pushd/queue"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/stats"
	"pushfleet/pushd/tap"
)

// rig is one loop with its table, listening on loopback.
type rig struct {
	t     testing.TB
	knobs *knob.Registry
	s     *Shared
	loop  *reactor.Loop
	table *Table
	addr  string
}

// rigSlots is room in the table, which costs nothing before it is used.
const rigSlots = 1 << 16

func newRig(t testing.TB, set ...string) *rig { return startRig(t, false, set...) }

func startRig(t testing.TB, proxied bool, set ...string) *rig {
	t.Helper()
	return startRigWith(t, proxied, func(*Shared) {}, set...)
}

// startRigWith lets tweak change what is static before the loop runs.
func startRigWith(t testing.TB, proxied bool, tweak func(*Shared), set ...string) *rig {
	t.Helper()
	reg := knob.NewRegistry()
	s := &Shared{Epoch: "test1", Clock: reactor.NewClock(), Receipts: receipt.NewTable(64), Closed: stats.NewClosed(256),
		Tracer: NewTracer(), Knobs: NewKnobs(reg, 1000), QueueKnobs: queue.NewKnobs(reg), RouterKnobs: router.NewKnobs(reg),
		ProxyTrusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	s.Tap = tap.New(tap.Config{Knobs: tap.NewKnobs(reg), Clock: s.Clock.Now, Wall: s.Clock.Wall, Loops: 1, Node: "test", Build: "test"})
	rk := reactor.NewKnobs(reg)
	settings := map[string]string{}
	for i := 0; i+1 < len(set); i += 2 {
		settings[set[i]] = set[i+1]
	}
	if _, err := reg.SetMany(settings, "test", ""); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.Messages, err = slab.NewMessages(1<<30, func() int64 { return 256 << 20 })
	must(err)
	s.Router, err = router.New(router.Config{Loops: 1, Messages: s.Messages, Knobs: s.RouterKnobs, UsersMax: 1 << 16,
		Clock: func() uint32 { return reactor.MS(s.Clock.Now()) }})
	must(err)
	l := &reactor.Listener{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Proxy: proxied}
	release, err := l.Resolve()
	must(err)
	tweak(s)
	loop, err := reactor.New(reactor.Config{Loops: 1, Listeners: []*reactor.Listener{l}, Clock: s.Clock, Knobs: rk})
	must(err)
	table, err := NewTable(s, loop, rigSlots)
	must(err)
	started, done := make(chan error, 1), make(chan struct{})
	go func() { loop.Run(table, func(err error) { started <- err }); close(done) }()
	must(<-started)
	release()
	r := &rig{t: t, knobs: reg, s: s, loop: loop, table: table, addr: l.Addr.String()}
	t.Cleanup(func() {
		r.do(func() { table.CloseAll(push.CloseDrain) })
		loop.Stop()
		<-done
		if b := s.Messages.Bytes(); b != 0 && s.Router.Counts().RingBytes == 0 {
			t.Errorf("%d bytes of messages left when all connections are closed", b)
		}
		if n := table.buffers.Used(); n != 0 {
			t.Errorf("%d bytes of buffers left when all connections are closed", n)
		}
		if n := table.queues.Nodes(); n != 0 {
			t.Errorf("%d queue nodes left when all connections are closed", n)
		}
		if c := s.Router.Counts(); c.Users != 0 || c.Links != 0 || c.Groups != 0 {
			t.Errorf("register not empty when all connections are closed: %+v", c)
		}
		if n := s.Open.Load(); n != 0 {
			t.Errorf("%d connections counted open", n)
		}
		loop.Close()
		s.Router.Close()
		table.Close()
		s.Messages.Close()
	})
	return r
}

// turn changes a knob while the loop runs.
func (r *rig) turn(name, value string) {
	r.t.Helper()
	if _, err := r.knobs.Set(name, value, "test", ""); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) do(f func()) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.loop.Do(ctx, f); err != nil {
		r.t.Fatal(err)
	}
}

// message makes a message as publish would.
func (r *rig) message(data string, meta slab.Meta) slab.Ref {
	r.t.Helper()
	tail := `"data":` + data + `}`
	meta.At = r.s.Clock.Now()
	ref, b, ok := r.s.Messages.New(len(tail), meta)
	if !ok {
		r.t.Fatal("no memory for a message")
	}
	copy(b, tail)
	return ref
}

// publish is send for other goroutines than the test's.
func (r *rig) publish(user, data string, meta slab.Meta) error {
	_, err := r.route(user, r.message(data, meta))
	return err
}

// send publishes to a user and returns the number of connections reached.
func (r *rig) send(user, data string, meta slab.Meta) int {
	r.t.Helper()
	n, err := r.route(user, r.message(data, meta))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// sendGroup publishes to a group; all stands for everybody.
func (r *rig) sendGroup(group, data string, receipt uint32) {
	r.t.Helper()
	it := reactor.Item{Kind: reactor.KindAll, Msg: r.message(data, slab.Meta{}), Receipt: receipt}
	if group != all {
		idx, _, _, ok := r.s.Router.GroupLookup([]byte(group))
		if !ok {
			r.t.Fatalf("nobody is in group %q", group)
		}
		it.Kind, it.H = reactor.KindGroup, push.Handle(idx)
	}
	if r.loop.Post([]reactor.Item{it}) != 1 {
		r.t.Fatal("inbox full")
	}
}

const all = "*"

func (r *rig) route(user string, ref slab.Ref) (int, error) {
	hs, pos, _ := r.s.Router.Route([]byte(user), ref, nil)
	var items []reactor.Item
	for _, h := range hs {
		r.s.Messages.Retain(ref, 1)
		items = append(items, reactor.Item{H: h, Msg: ref, Pos: pos})
	}
	n := r.loop.Post(items)
	r.s.Messages.Release(ref)
	if n != len(items) {
		return n, fmt.Errorf("inbox took %d of %d", n, len(items))
	}
	return n, nil
}

// eventually waits for a condition of the table, asked on the loop.
func (r *rig) eventually(what string, f func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for ok := false; !ok; {
		r.do(func() { ok = f() })
		if !ok && time.Now().After(deadline) {
			r.t.Fatalf("did not happen: %s", what)
		}
		if !ok {
			time.Sleep(time.Millisecond) // lets the loop sleep too
		}
	}
}

func (r *rig) closed(why push.CloseReason) func() bool {
	return func() bool { return len(r.s.Closed.List(why, 0)) > 0 }
}

// frame is any JSON object from the node.
type frame map[string]any

func (f frame) str(k string) string { s, _ := f[k].(string); return s }
func (f frame) num(k string) int    { n, _ := f[k].(float64); return int(n) }

// client is a connected client of any transport.
type client struct {
	t     testing.TB
	conn  net.Conn
	next  func() (frame, error)
	hello frame
}

func (r *rig) dial(query string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// ws connects a WebSocket and reads the hello frame.
func (r *rig) ws(query string) *client {
	r.t.Helper()
	d := ws.Dialer{Timeout: 5 * time.Second}
	conn, br, _, err := d.Dial(context.Background(), "ws://"+r.addr+"/connect?"+query)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	var rw io.ReadWriter = conn
	if br != nil {
		rw = struct {
			io.Reader
			io.Writer
		}{br, conn}
	}
	c := &client{t: r.t, conn: conn, next: func() (frame, error) {
		b, _, err := wsutil.ReadServerData(rw)
		if err != nil {
			return nil, err
		}
		return parseFrame(b)
	}}
	c.hello = c.expectType("hello")
	return c
}

// stream connects by plain HTTP and reads the hello frame. accept chooses the
// transport.
func (r *rig) stream(query, accept string, header ...string) *client {
	r.t.Helper()
	conn := r.dial(query)
	req := fmt.Sprintf("GET /connect?%s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n%s\r\n", query, accept, strings.Join(header, ""))
	if _, err := io.WriteString(conn, req); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		b, _ := io.ReadAll(resp.Body)
		r.t.Fatalf("status %s: %s", resp.Status, b)
	}
	lines := bufio.NewScanner(resp.Body)
	c := &client{t: r.t, conn: conn, next: func() (frame, error) {
		id := ""
		for lines.Scan() {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "id: "):
				id = line[4:]
			case strings.HasPrefix(line, "data: "):
				f, err := parseFrame([]byte(line[6:]))
				if id != "" {
					f["sse-id"] = id
				}
				return f, err
			case strings.HasPrefix(line, "{"):
				return parseFrame([]byte(line))
			}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}}
	c.hello = c.expectType("hello")
	return c
}

func parseFrame(b []byte) (f frame, err error) {
	err = json.Unmarshal(b, &f)
	return f, err
}

func (c *client) read() frame {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	f, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// tryRead is read for a client whose connection may end.
func (c *client) tryRead() (frame, error) {
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c.next()
}

// abort makes Close send an RST.
func (c *client) abort() { _ = c.conn.(*net.TCPConn).SetLinger(0) }

func (c *client) expectType(typ string) frame {
	c.t.Helper()
	f := c.read()
	if f.str("type") != typ {
		c.t.Fatalf("frame %v, want type %q", f, typ)
	}
	return f
}

func (c *client) expectData(data string) frame {
	c.t.Helper()
	f := c.read()
	if got := fmt.Sprint(f["data"]); got != data {
		c.t.Fatalf("frame %v, want data %q", f, data)
	}
	return f
}

// say sends a text message.
func (c *client) say(s string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(s)); err != nil {
		c.t.Fatal(err)
	}
}

// idle lets the kernel and the loop work for about a millisecond.
func (r *rig) idle() {
	for end := time.Now().Add(time.Millisecond); time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}
