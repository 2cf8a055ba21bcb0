package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// attacks are all that this package knows.
func attacks() []attack {
	one := func(r push.CloseReason) []push.CloseReason { return []push.CloseReason{r} }
	return []attack{
		{name: "never reads", run: neverReads, closed: one(push.CloseSlow), dropped: []push.DropReason{push.DropOverflow, push.DropDisconnect}},
		{name: "reads a byte a second", run: readsSlowly, dropped: []push.DropReason{push.DropOverflow}},
		{name: "writes a byte a second", run: writesSlowly, closed: one(push.CloseHandshakeTimeout)},
		{name: "sends garbage", run: sendsGarbage, closed: one(push.CloseBadRequest)},
		{name: "sends garbage on a WebSocket", run: garbageFrames, closed: one(push.CloseProtocol)},
		{name: "says nothing on 8,000 sockets", run: silentSockets, closed: []push.CloseReason{push.CloseHandshakePressure, push.CloseHandshakeTimeout}},
		{name: "announces a frame of 1 GB", run: hugeFrame, closed: one(push.CloseOversize)},
		{name: "sends a header without end", run: endlessHeader, closed: one(push.CloseBadRequest)},
		{name: "sends fragments without end", run: endlessFragments, closed: one(push.CloseOversize)},
		{name: "floods pings without reading", run: floodsPings, closed: []push.CloseReason{push.CloseControl, push.CloseReadRate}},
		{name: "floods commands without reading", run: floodsCommands, closed: []push.CloseReason{push.CloseControl, push.CloseReadRate}},
		{name: "connects and resets", run: connectsAndResets, closed: one(push.CloseGone)},
	}
}

// each runs f on so many goroutines, again and again until ctx ends.
func each(ctx context.Context, n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				f(i)
			}
		})
	}
	wg.Wait()
}

// dial connects with a small receive buffer; the connection ends with ctx. It
// is nil when the node takes no more.
func (a *arena) dial(ctx context.Context) *net.TCPConn {
	d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 9, byte(1+rand.N(100)))},
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) })
		}}
	c, err := d.DialContext(ctx, "tcp", a.node.client[0])
	if err != nil {
		return nil
	}
	tcp := c.(*net.TCPConn)
	context.AfterFunc(ctx, func() { tcp.Close() })
	return tcp
}

// websocket opens a WebSocket and reads the answer's head, nothing more.
func (a *arena) websocket(ctx context.Context, user string) *net.TCPConn {
	c := a.dial(ctx)
	if c == nil {
		return nil
	}
	fmt.Fprintf(c, "GET /connect?user=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", user)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	l, err := bufio.NewReaderSize(c, 16).ReadString('\n')
	if err != nil || !strings.Contains(l, "101") {
		c.Close()
		return nil
	}
	return c
}

// feed publishes to victims until ctx ends.
func (a *arena) feed(ctx context.Context, class string, users ...string) {
	pub := a.node.API.Publish(ctx, false, nil)
	data := json.RawMessage(`"` + strings.Repeat("x", 4000) + `"`)
	for i := 0; ctx.Err() == nil; i++ {
		if pub.Send(&pushdapi.Send{User: users[i%len(users)], Class: class, Data: data}) != nil {
			break
		}
	}
	_, _ = pub.Close()
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + itoa(i)
	}
	return out
}

// neverReads fills the queues of clients that do not read: half with messages
// that may be dropped, half with such that may not.
func neverReads(ctx context.Context, a *arena) {
	loose, strict := names("loose-", 20), names("strict-", 20)
	for _, u := range append(loose, strict...) {
		a.websocket(ctx, u)
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.feed(ctx, "normal", loose...) })
	wg.Go(func() { a.feed(ctx, "stored", strict...) })
	wg.Wait()
}

func readsSlowly(ctx context.Context, a *arena) {
	users := names("sip-", 50)
	var wg sync.WaitGroup
	for _, u := range users {
		if c := a.websocket(ctx, u); c != nil {
			wg.Go(func() {
				_ = c.SetReadDeadline(time.Time{})
				for pace := time.NewTicker(time.Second); ; <-pace.C {
					if _, err := c.Read(make([]byte, 1)); err != nil || ctx.Err() != nil {
						return
					}
				}
			})
		}
	}
	a.feed(ctx, "normal", users...)
	wg.Wait()
}

func writesSlowly(ctx context.Context, a *arena) {
	each(ctx, 200, func(int) {
		c := a.dial(ctx)
		if c == nil {
			return
		}
		defer c.Close()
		for pace := time.NewTicker(time.Second); ctx.Err() == nil; <-pace.C {
			if _, err := c.Write([]byte("G")); err != nil {
				return
			}
		}
	})
}

func sendsGarbage(ctx context.Context, a *arena) {
	each(ctx, 8, func(i int) {
		c := a.dial(ctx)
		if c == nil {
			return
		}
		defer c.Close()
		b := make([]byte, 1+rand.N(20_000))
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		_, _ = c.Write(append(b, "\r\n\r\n"...))
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, c)
	})
}

func garbageFrames(ctx context.Context, a *arena) {
	each(ctx, 8, func(i int) {
		c := a.websocket(ctx, fmt.Sprint("noise-", i))
		if c == nil {
			return
		}
		defer c.Close()
		b := make([]byte, 4000)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		b[0] |= 0x70 // reserved bits, so that it is never by chance a good frame
		_, _ = c.Write(b)
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, c)
	})
}

// silentSockets holds as many connections as it can that never say a word.
func silentSockets(ctx context.Context, a *arena) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := 0; i < 1000 && ctx.Err() == nil; i++ {
				a.dial(ctx)
			}
		})
	}
	wg.Wait()
	<-ctx.Done()
}

// until writes the same bytes until the node hangs up.
func until(ctx context.Context, c net.Conn, b []byte) {
	defer c.Close()
	for ctx.Err() == nil {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func hugeFrame(ctx context.Context, a *arena) {
	head := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<30)
	first := append(head, 0, 0, 0, 0)
	each(ctx, 8, func(i int) {
		if c := a.websocket(ctx, fmt.Sprint("huge-", i)); c != nil {
			_, _ = c.Write(first)
			until(ctx, c, make([]byte, 16<<10))
		}
	})
}

func endlessHeader(ctx context.Context, a *arena) {
	each(ctx, 8, func(int) {
		if c := a.dial(ctx); c != nil {
			_, _ = c.Write([]byte("GET /connect?user=a HTTP/1.1\r\n"))
			until(ctx, c, []byte("X-Filler: "+strings.Repeat("x", 1000)+"\r\n"))
		}
	})
}

func endlessFragments(ctx context.Context, a *arena) {
	first := []byte{0x01, 0x81, 0, 0, 0, 0, 'x'} // text, more to come
	part := append([]byte{0x00, 0x80 | 125, 0, 0, 0, 0}, strings.Repeat("x", 125)...)
	each(ctx, 8, func(i int) {
		if c := a.websocket(ctx, fmt.Sprint("pieces-", i)); c != nil {
			_, _ = c.Write(first)
			until(ctx, c, part)
		}
	})
}

func floodsPings(ctx context.Context, a *arena) {
	flood(ctx, a, 0x89, strings.Repeat("x", 125))
}

func floodsCommands(ctx context.Context, a *arena) {
	flood(ctx, a, 0x81, `{"type":"bind","group":"g","ref":1}`)
}

// flood sends the same frame as fast as it goes and reads no answer.
func flood(ctx context.Context, a *arena, opcode byte, payload string) {
	frame := append([]byte{opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	var many []byte
	for range 100 {
		many = append(many, frame...)
	}
	each(ctx, 8, func(i int) {
		if c := a.websocket(ctx, fmt.Sprint("flood-", i)); c != nil {
			until(ctx, c, many)
		}
	})
}

func connectsAndResets(ctx context.Context, a *arena) {
	each(ctx, 8, func(i int) {
		var c *net.TCPConn
		if i%2 == 0 {
			c = a.dial(ctx)
		} else {
			c = a.websocket(ctx, fmt.Sprint("reset-", i))
		}
		if c != nil {
			_ = c.SetLinger(0)
			c.Close()
		}
	})
}
