package swarm

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pushfleet/internal/push"
)

// fakeGateway speaks just enough of the client protocol, one goroutine per
// connection; what it sends is the test's script.
type fakeGateway struct {
	t      testing.TB
	ln     net.Listener
	script func(*fakeConn)
	mu     sync.Mutex
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

type fakeConn struct {
	net.Conn
	r     *bufio.Reader
	proto push.Proto
	req   *http.Request
}

func newFake(t testing.TB, script func(*fakeConn)) *fakeGateway {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &fakeGateway{t: t, ln: ln, script: script, conns: map[net.Conn]bool{}}
	g.wg.Add(1)
	go g.accept()
	t.Cleanup(g.close)
	return g
}

// nowhere is an address at which nobody listens, and nobody else can until the
// test ends.
func nowhere(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	a, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	own := a.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(own.Addr), uint16(own.Port))
}

func (g *fakeGateway) addr() netip.AddrPort {
	return netip.MustParseAddrPort(g.ln.Addr().String())
}

func (g *fakeGateway) close() {
	g.ln.Close()
	g.mu.Lock()
	for c := range g.conns {
		c.Close()
	}
	g.mu.Unlock()
	g.wg.Wait()
}

func (g *fakeGateway) accept() {
	defer g.wg.Done()
	for {
		c, err := g.ln.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		g.conns[c] = true
		g.mu.Unlock()
		g.wg.Add(1)
		go func() {
			defer g.wg.Done()
			g.serve(c)
			c.Close()
			g.mu.Lock()
			delete(g.conns, c)
			g.mu.Unlock()
		}()
	}
}

func (g *fakeGateway) serve(nc net.Conn) {
	c := &fakeConn{Conn: nc, r: bufio.NewReader(nc)}
	for {
		req, err := http.ReadRequest(c.r)
		if err != nil {
			return
		}
		c.req = req
		switch {
		case req.Header.Get("Upgrade") == "websocket":
			c.proto = push.ProtoWS
			sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		case req.URL.Query().Has("poll"):
			c.proto = push.ProtoPoll
		case req.Header.Get("Accept") == "text/event-stream":
			c.proto = push.ProtoSSE
		default:
			c.proto = push.ProtoStream
		}
		if c.proto != push.ProtoWS {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		}
		c.control(`{"type":"hello","conn":"0.0.1","ping_ms":25000,"epoch":"e1"}`)
		g.script(c)
		if c.proto != push.ProtoPoll {
			return
		}
		io.WriteString(c, "0\r\n\r\n")
	}
}

// encode is one JSON frame on the connection's transport.
func (c *fakeConn) encode(json string, event bool) string {
	switch c.proto {
	case push.ProtoWS:
		return wsFrame(opText, json)
	case push.ProtoSSE:
		if event {
			json = "event: x\ndata: " + json + "\n\n"
		} else {
			json = "data: " + json + "\n\n"
		}
	default:
		json += "\n"
	}
	return fmt.Sprintf("%x\r\n%s\r\n", len(json), json)
}

func wsFrame(op byte, payload string) string {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return string(append(b, payload...))
}

func (c *fakeConn) control(json string) { io.WriteString(c, c.encode(json, true)) }

// data sends data frames with these numbers.
func (c *fakeConn) data(seqs ...int) {
	for _, n := range seqs {
		io.WriteString(c, c.encode(dataJSON(n, `"user":"u-1",`), false))
	}
}

func dataJSON(seq int, head string) string {
	return fmt.Sprintf(`{"seq":%d,%s"data":{"t":%d,"p":"xyz"}}`, seq, head, NewClock().Now())
}

// wait reads until the client is gone, so that the connection stays open.
func (c *fakeConn) wait() { io.Copy(io.Discard, c.r) }

// eventually waits for a condition on the counts, with a deadline.
func eventually(t testing.TB, s *Swarm, what string, ok func(Counts) bool) Counts {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		c := s.Snapshot()
		if ok(c) {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("never saw %s; counts %+v", what, c)
		}
		time.Sleep(time.Millisecond) // between looks at a condition
	}
}

func start(t testing.TB, g *fakeGateway, o Options) *Swarm {
	t.Helper()
	if !o.Target.IsValid() {
		o.Target = g.addr()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t.Context())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func protos(t testing.TB, s string) Mix[push.Proto] {
	t.Helper()
	m, err := ParseMix(s, push.ParseProto)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func profiles(t testing.TB, s string) Mix[Profile] {
	t.Helper()
	m, err := ParseMix(s, ParseProfile)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func has(m map[string]int64, word string) bool {
	for k := range m {
		if strings.Contains(k, word) {
			return true
		}
	}
	return false
}
