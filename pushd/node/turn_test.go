package node_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/testnode"
)

// Knobs turned over the API of a node that serves. Those of connections are
// turned in the tests of their rooms.

func turn(t *testing.T, n *testnode.Node, name, value string) {
	t.Helper()
	if _, err := n.API.SetKnob(t.Context(), name, pushdapi.KnobSet{Value: value, Why: t.Name()}); err != nil {
		t.Fatal(err)
	}
}

// reader is a client of the stream transport.
type reader struct {
	t    *testing.T
	conn net.Conn
	resp *http.Response
	body *bufio.Scanner
}

// read connects with a receive buffer of about so many bytes, 0 for the
// kernel's choice, and reads the hello frame if the node is not full.
func read(t *testing.T, n *testnode.Node, query string, buffer int) *reader {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if buffer > 0 {
			_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) })
		}
		return err
	}}
	conn, err := d.DialContext(t.Context(), "tcp", n.Client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET /connect?%s HTTP/1.1\r\nHost: x\r\n\r\n", query)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, conn: conn, resp: resp, body: bufio.NewScanner(resp.Body)}
	if resp.StatusCode == http.StatusOK {
		r.next(`"type":"hello"`)
	}
	return r
}

func (r *reader) next(want string) {
	r.t.Helper()
	if !r.body.Scan() || !strings.Contains(r.body.Text(), want) {
		r.t.Fatalf("line %q, %v; want %s", r.body.Text(), r.body.Err(), want)
	}
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func send(t *testing.T, n *testnode.Node, user, data string) {
	t.Helper()
	if _, err := n.API.Send(t.Context(), pushdapi.Send{User: user, Data: json.RawMessage(data)}); err != nil {
		t.Fatal(err)
	}
}

func TestConnsMaxIsTurned(t *testing.T) {
	n := testnode.Start(t, nil)
	first := read(t, n, "user=u", 0)
	f := func(limit string, status int) {
		t.Helper()
		turn(t, n, "conns.max", limit)
		r := read(t, n, "user=v", 0)
		if r.resp.StatusCode != status {
			t.Errorf("conns.max %s: status %d, want %d", limit, r.resp.StatusCode, status)
		}
		r.conn.Close()
		n.Eventually("gone", func(s *pushdapi.Stats) bool { return s.Connections.Total == 1 })
	}
	f("1", http.StatusServiceUnavailable)
	send(t, n, "u", "1") // who is there stays
	first.next(`"data":1`)
	f("2", http.StatusOK)
	if got := n.Stats().ClosedBy[push.CloseMaxConns.String()]; got != 1 {
		t.Errorf("%d refused, want 1", got)
	}
}

// Sent one after the other, messages share writes while the knob is on.
func TestCoalescingIsTurned(t *testing.T) {
	n := testnode.Start(t, nil)
	r := read(t, n, "user=u", 0)
	const messages = 20
	writes := func() uint64 {
		before := n.Stats().Totals.Writes
		for i := range messages {
			send(t, n, "u", fmt.Sprint(i))
		}
		for i := range messages {
			r.next(fmt.Sprintf(`"data":%d}`, i))
		}
		return n.Stats().Totals.Writes - before
	}
	turn(t, n, "write.coalesce_delay", "50ms")
	few := writes()
	for tries := 0; few > messages/2 && tries < 20; tries++ { // a busy machine may take 50 ms for each
		few = writes()
	}
	turn(t, n, "write.coalesce_delay", "0s")
	// An answer tells that the message is in the queue, so two may still meet.
	many := writes()
	for tries := 0; many <= few && tries < 20; tries++ {
		many = writes()
	}
	if few > messages/2 || many <= few {
		t.Errorf("%d messages in %d writes, in %d while they wait for more", messages, many, few)
	}
}

// Above which share of a bound a queue is reported as over soft.
func TestSoftLimitIsTurned(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) { c.Knobs["queue.messages_max"], c.Knobs["queue.bytes_max"] = "1000", "1GiB" })
	read(t, n, "user=slow", 4<<10)
	for n.Stats().Queued.Messages < 200 {
		for range 50 {
			send(t, n, "slow", `"`+strings.Repeat("x", 60<<10)+`"`)
		}
	}
	turn(t, n, "queue.soft_percent", "90")
	n.Eventually("below it", func(s *pushdapi.Stats) bool { return s.Queued.OverSoft == 0 && s.Queued.Conns == 1 })
	turn(t, n, "queue.soft_percent", "10")
	n.Eventually("above it", func(s *pushdapi.Stats) bool { return s.Queued.OverSoft == 1 })
}

// percentOff is how the runtime shows that only a limit starts a collection.
const percentOff = 1<<64 - 1

// collector reads what is in force.
func collector() (percent, limit, cycles uint64) {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/gc/cycles/automatic:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
}

func TestTheCollectorIsTurned(t *testing.T) {
	n := testnode.Start(t, nil)
	f := func(name, value string, percent, limit uint64) {
		t.Helper()
		turn(t, n, name, value)
		until(t, name+" "+value, func() bool {
			p, l, _ := collector()
			return p == percent && l == limit
		})
	}
	const none = 1<<63 - 1
	f("gc.percent", "200", 200, none)
	f("gc.percent", "777%", 777, none)
	f("gc.memory_limit", "3GiB", 777, 3<<30)
	f("gc.memory_limit", "0", 777, none)
	f("gc.percent", "200", 200, none)
}

// garbage makes 256 MiB of it.
func garbage() (last *[4 << 20]byte) {
	for range 64 {
		last = new([4 << 20]byte)
	}
	return last
}

func TestTheCollectorIsHeldBackWhileMuchWaits(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) {
		c.Knobs["gc.memory_limit"], c.Knobs["queue.bytes_max"] = "4GiB", "64MiB"
	})
	slow := read(t, n, "user=slow", 4<<10)
	for n.Stats().Queued.Messages < 100 {
		for range 50 {
			send(t, n, "slow", `"`+strings.Repeat("x", 60<<10)+`"`)
		}
	}
	_, _, before := collector()
	until(t, "a collection while nothing holds it back", func() bool {
		runtime.KeepAlive(garbage())
		_, _, now := collector()
		return now != before
	})
	turn(t, n, "gc.hold_while_backlog", "50")
	n.Eventually("held back", func(s *pushdapi.Stats) bool { return s.Process.GCHeld })
	until(t, "the runtime is told", func() bool { p, _, _ := collector(); return p == percentOff })
	// A collection that was under way may still end, once.
	for tries, spared := 0, false; !spared; tries++ {
		_, _, before = collector()
		runtime.KeepAlive(garbage())
		_, _, now := collector()
		if spared = now == before; tries == 2 && !spared {
			t.Fatalf("%d collections while it is held back", now-before)
		}
	}
	slow.conn.Close()
	n.Eventually("let go", func(s *pushdapi.Stats) bool { return s.Queued.Messages == 0 && !s.Process.GCHeld })
	until(t, "the runtime is told", func() bool { p, _, _ := collector(); return p == 200 })
	n.Stop()
	turned := testnode.Start(t, nil) // leaves the process without a limit
	if p, l, _ := collector(); p != 200 || l != 1<<63-1 {
		t.Errorf("a node that starts leaves %d %% and a limit of %d bytes", p, l)
	}
	turned.Stop()
}
