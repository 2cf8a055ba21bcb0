package session

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire/ws/wstest"
)

// raw is a bare socket to the node, for clients that misbehave.
type raw struct {
	t testing.TB
	net.Conn
	br *bufio.Reader
}

// patience is how long a client waits for the node.
const patience = 15 * time.Second

func (r *rig) raw() *raw { return r.rawBuffer(0) }

// rawBuffer connects with a receive buffer of about so many bytes.
func (r *rig) rawBuffer(bytes int) *raw {
	r.t.Helper()
	d := net.Dialer{Timeout: 5 * time.Second, Control: func(_, _ string, c syscall.RawConn) (err error) {
		if bytes == 0 {
			return nil
		}
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
		}); e != nil {
			return e
		}
		return err
	}}
	c, err := d.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &raw{t: r.t, Conn: c, br: bufio.NewReader(c)}
}

func (c *raw) Read(b []byte) (int, error) { return c.br.Read(b) }

func (c *raw) write(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// rest reads until the node ends the connection.
func (c *raw) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.br)
	if err != nil {
		c.t.Fatalf("after %.200q: %v", b, err)
	}
	return string(b)
}

// response reads a response head; its body is a stream.
func (c *raw) response(status int) *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != status {
		c.t.Fatalf("status %s, want %d", resp.Status, status)
	}
	return resp
}

// reset ends the connection with an RST.
func (c *raw) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// request is a request for a transport, ready to be written.
func request(p push.Proto, query string, headers ...string) string {
	switch p {
	case push.ProtoWS:
		headers = append(headers, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	case push.ProtoSSE:
		headers = append(headers, "Accept: text/event-stream")
	case push.ProtoPoll:
		if !strings.Contains(query, "poll=") {
			query += "&poll=30"
		}
	}
	headers = append(headers, "Host: push.example", "", "")
	return fmt.Sprintf("GET /connect?%s HTTP/1.1\r\n%s", query, strings.Join(headers, "\r\n"))
}

// rawWS connects a WebSocket and reads the hello frame.
func (r *rig) rawWS(query string) *raw { return r.raw().upgrade(query) }

func (c *raw) upgrade(query string) *raw {
	c.t.Helper()
	c.write(request(push.ProtoWS, query))
	c.response(101)
	if f := c.frame(); f.Op != wstest.Text || !strings.Contains(string(f.Payload), `"type":"hello"`) {
		c.t.Fatalf("first frame %d %q", f.Op, f.Payload)
	}
	return c
}

func (c *raw) frame() wstest.Reply {
	c.t.Helper()
	f, err := wstest.ReadFrame(c.br)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// say sends a text message.
func (c *raw) say(s string) {
	c.t.Helper()
	c.write(string(wstest.Frame(true, 0, wstest.Text, s)))
}

// expectClose reads the Close frame and the end of the connection.
func (c *raw) expectClose(why push.CloseReason) {
	c.t.Helper()
	f := c.frame()
	for f.Op != wstest.CloseOp {
		f = c.frame()
	}
	if len(f.Payload) < 2 || binary.BigEndian.Uint16(f.Payload) != why.Code() || string(f.Payload[2:]) != why.String() {
		c.t.Fatalf("close %q, want %d %s", f.Payload, why.Code(), why)
	}
	if rest := c.rest(); rest != "" {
		c.t.Fatalf("after the Close frame: %.200q", rest)
	}
}

// smallSendBuffers makes the sockets of all connections take little.
func (r *rig) smallSendBuffers() {
	r.t.Helper()
	r.do(func() {
		for s := uint32(1); s < r.table.slots.High(); s++ {
			if c := &r.table.conns[s]; c.state == StateOpen {
				if err := unix.SetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
					r.t.Error(err)
				}
			}
		}
	})
}
