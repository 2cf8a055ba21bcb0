package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pushfleet/internal/pushdapi"
)

// reader is how a client reads.
type reader struct {
	buffer int // of the socket, in bytes; 0 is the kernel's choice
	bytes  int // that it takes at a time; 0 is none ever
	every  time.Duration
}

func fast() reader    { return reader{bytes: 64 << 10} }
func stalled() reader { return reader{buffer: 4096} }

// slow takes so many bytes per second.
func slow(rate int) reader {
	return reader{buffer: 4096, bytes: rate / 20, every: time.Second / 20}
}

// user is who all clients of a test are.
const user = "planted"

// connect opens clients of the stream transport that read until the test ends,
// and returns when the node has greeted them all: a message that comes earlier is
// for fewer.
func (n *node) connect(t *testing.T, clients int, how reader) {
	t.Helper()
	var all []net.Conn
	for range clients {
		c, err := n.dial(n.client, how.buffer)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET /connect?user=%s HTTP/1.1\r\nHost: x\r\n\r\n", user)
		all = append(all, c)
	}
	for _, c := range all {
		if err := greeted(c); err != nil {
			t.Fatal("a client is not greeted: ", err)
		}
		done := make(chan struct{})
		go func() { // ended by the Close below
			defer close(done)
			how.read(c)
		}()
		t.Cleanup(func() {
			c.Close()
			<-done
		})
	}
}

// greeted waits for the hello frame. The node itself may be too busy to be asked.
func greeted(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var got []byte
	for b := make([]byte, 4096); !bytes.Contains(got, []byte(`"hello"`)); {
		n, err := c.Read(b)
		if err != nil {
			return fmt.Errorf("after %q: %w", got, err)
		}
		got = append(got, b[:n]...)
	}
	return c.SetReadDeadline(time.Time{})
}

// dial connects in the node's network.
func (n *node) dial(to netip.AddrPort, buffer int) (c net.Conn, err error) {
	err = n.inside(func() error {
		c, err = dial(to, buffer)
		return err
	})
	return c, err
}

// dial connects with the receive buffer set first, as it must be.
func dial(to netip.AddrPort, buffer int) (net.Conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "client")
	defer f.Close() // net has a copy
	if buffer > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer); err != nil {
			return nil, err
		}
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", to, err)
	}
	return net.FileConn(f)
}

func (r reader) read(c net.Conn) {
	if r.bytes == 0 {
		return
	}
	b := make([]byte, r.bytes)
	var tick <-chan time.Time
	if r.every > 0 {
		t := time.NewTicker(r.every)
		defer t.Stop()
		tick = t.C
	}
	for {
		if tick != nil {
			<-tick
		}
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// publishing sends messages to the user until stop is called or the test ends.
// lump messages go out every so often, each of size bytes.
func (n *node) publishing(t *testing.T, lump int, every time.Duration, size int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { // ended by cancel
		p := n.API.Publish(ctx, false, nil)
		tick := time.NewTicker(every)
		defer tick.Stop()
		line, err := json.Marshal(pushdapi.Send{User: user, Data: json.RawMessage(`"` + strings.Repeat("x", size) + `"`)})
		for err == nil {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for range lump {
				err = p.SendLine(line)
			}
			if err == nil {
				err = p.Flush()
			}
		}
		if ctx.Err() == nil {
			t.Errorf("publish: %v", err)
		}
	})
	stop = func() {
		cancel()
		done.Wait()
	}
	t.Cleanup(stop)
	return stop
}
