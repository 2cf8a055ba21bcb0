package node

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"pushfleet/pushd/reactor"
)

// probeDialer reaches the node as a client does.
type probeDialer struct {
	addr  string
	proxy bool // the connection begins with a PROXY header
}

// dialer chooses a client address; false: this process is trusted by none.
func (p *SelfProbe) dialer() (*probeDialer, bool) {
	i := slices.IndexFunc(p.n.listen, func(l *reactor.Listener) bool { return !l.Proxy })
	i = max(i, 0)
	l := p.n.listen[i]
	a := l.Addr
	if a.Addr().IsUnspecified() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if a.Addr().Is6() {
			loopback = netip.IPv6Loopback()
		}
		a = netip.AddrPortFrom(loopback, a.Port())
	}
	if l.Proxy && !slices.ContainsFunc(p.n.cfg.ProxyTrusted, func(t netip.Prefix) bool { return t.Contains(a.Addr()) }) {
		return nil, false
	}
	return &probeDialer{a.String(), l.Proxy}, true
}

// probeAnswer is a refusal: the node serves, but not this.
type probeAnswer struct{ status int }

func (a *probeAnswer) Error() string { return fmt.Sprintf("answered with status %d", a.status) }

// probeConn is an open stream. It is read all the time: broadcasts come by it,
// too, and a probe must not be the slowest client of its node.
type probeConn struct {
	net.Conn
	lines *bufio.Scanner
	got   chan uint64 // the last message to the probe; closed when the stream ends
}

// probeLineMax bounds a frame in bytes.
const probeLineMax = 4 << 20

// dial opens a stream and waits for its first frame: who has seen it can be
// reached.
func (d *probeDialer) dial(ctx context.Context, user, token string) (c *probeConn, err error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	defer bound(ctx, raw)()
	if _, err := raw.Write(d.request(user, token)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(raw)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, &probeAnswer{res.StatusCode}
	}
	c = &probeConn{raw, bufio.NewScanner(res.Body), make(chan uint64, 1)}
	c.lines.Buffer(nil, probeLineMax)
	if !c.lines.Scan() {
		return nil, cmp.Or(c.lines.Err(), net.ErrClosed)
	}
	go c.read([]byte(user)) // ends with the connection
	return c, nil
}

func (d *probeDialer) request(user, token string) []byte {
	var b bytes.Buffer
	if d.proxy {
		b.WriteString("PROXY UNKNOWN\r\n")
	}
	// A shadow would not take it without the mark of a tee.
	fmt.Fprintf(&b, "GET /connect?user=%s HTTP/1.1\r\nHost: %s\r\nPush-Tee: 1\r\nAuthorization: Bearer %s\r\n\r\n", url.QueryEscape(user), d.addr, token)
	return b.Bytes()
}

// read keeps the newest message of the user in got.
func (c *probeConn) read(user []byte) {
	defer close(c.got)
	for c.lines.Scan() {
		var m struct{ Data json.RawMessage }
		if !bytes.Contains(c.lines.Bytes(), user) || json.Unmarshal(c.lines.Bytes(), &m) != nil {
			continue
		}
		if n, err := strconv.ParseUint(string(m.Data), 10, 64); err == nil {
			select {
			case <-c.got:
			default:
			}
			c.got <- n
		}
	}
}

// await waits until message n comes.
func (c *probeConn) await(ctx context.Context, n uint64) error {
	for {
		select {
		case m, ok := <-c.got:
			switch {
			case !ok:
				return net.ErrClosed
			case m == n:
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bound ends what the connection waits for when ctx is done, until end.
func bound(ctx context.Context, c net.Conn) (end func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}
