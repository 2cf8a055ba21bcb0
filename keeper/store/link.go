package store

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// One port serves three kinds of streams. Whoever dials says which, and to which
// cluster it belongs: members of different clusters never speak raft with each
// other, whatever their configurations say.
const (
	helloMagic   = "pfk1"
	kindRaft     = 'r'
	kindCall     = 'c'
	kindAPI      = 'a'
	kindUnknown  = 0   // before the hello
	streamsMax   = 256 // connections but the API's; more are closed at once
	callMax      = 64 << 10
	helloTimeout = 5 * time.Second
)

// link carries raft's streams, our calls and the API's streams. It is raft's StreamLayer.
type link struct {
	listener  net.Listener
	network   Network
	creds     *credentials // nil = plain
	advertise string
	ident     *identity
	answer    func(call) reply
	log       *slog.Logger
	timeout   time.Duration

	accepted chan net.Conn // raft's, after their hello
	closed   chan struct{}
	once     sync.Once
	work     sync.WaitGroup
	reading  sync.WaitGroup // streams that raft reads and has not closed

	door *door // the API's streams, after their hello

	mu      sync.Mutex
	conns   map[*linkConn]struct{} // all open ones; nil once closed
	apiOpen int                    // of these
	deaf    bool                   // no streams of raft for now
}

var _ raft.StreamLayer = (*link)(nil)

func newLink(c Config, ident *identity, answer func(call) reply) (*link, error) {
	l := &link{
		network: c.Network, advertise: c.Advertise, ident: ident, answer: answer, log: c.Log,
		timeout: c.Timing.RPC, accepted: make(chan net.Conn), closed: make(chan struct{}),
		door: newDoor(), conns: map[*linkConn]struct{}{},
	}
	var err error
	if c.TLS.used() {
		if l.creds, err = newCredentials(c.TLS, c.Log); err != nil {
			return nil, err
		}
	}
	if l.listener, err = c.Network.Listen(c.Listen); err != nil {
		return nil, fmt.Errorf("listen for members: %w", err)
	}
	if err := l.checkAddress(); err != nil {
		return nil, errors.Join(err, l.listener.Close())
	}
	l.door.addr = l.Addr()
	return l, nil
}

func (l *link) checkAddress() error {
	a := l.listener.Addr()
	if l.creds == nil && !loopback(a) {
		return fmt.Errorf("members must not speak without TLS on %s: give CA, certificate and key, or listen on 127.0.0.1", a)
	}
	if l.advertise != "" {
		return nil
	}
	if t, ok := a.(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		return fmt.Errorf("listening on %s does not tell the others where to dial: give an address to advertise", a)
	}
	l.advertise = a.String()
	return nil
}

// serve accepts connections until Close.
func (l *link) serve() {
	l.work.Go(func() {
		for {
			c, err := l.listener.Accept()
			if err != nil {
				select {
				case <-l.closed:
					return
				case <-time.After(50 * time.Millisecond): // no descriptors, most likely
					l.log.Warn("accept of a member's connection", "err", err)
					continue
				}
			}
			if t, err := l.track(c, kindUnknown); err == nil {
				l.work.Go(func() { l.greet(t) }) // ends in bounded time, or with Close
			}
		}
	})
}

// greet reads whom the connection is for, with a deadline for all of it.
func (l *link) greet(t *linkConn) {
	t.SetDeadline(time.Now().Add(helloTimeout))
	if l.creds != nil {
		t.Conn = tls.Server(t.Conn, l.creds.server())
	}
	kind, cluster, err := readHello(t)
	switch {
	case err != nil:
		l.log.Warn("connection refused", "from", t.RemoteAddr(), "err", err)
	case kind == kindCall:
		if err := l.serveCall(t); err != nil {
			l.log.Debug("call of a member", "from", t.RemoteAddr(), "err", err)
		}
	case cluster != l.ident.cluster() || cluster == "":
		l.log.Warn("connection of another cluster refused", "from", t.RemoteAddr(), "theirs", cluster, "ours", l.ident.cluster())
	case kind == kindAPI:
		l.admit(t)
		return
	case l.assign(t, kindRaft) != nil: // it comes again
	default:
		t.SetDeadline(time.Time{})
		t.read = true
		l.reading.Add(1)
		select {
		case l.accepted <- t:
			return
		case <-l.closed:
		}
	}
	t.Close()
}

func (l *link) serveCall(t net.Conn) error {
	var c call
	if err := json.NewDecoder(io.LimitReader(t, callMax)).Decode(&c); err != nil {
		return err
	}
	t.SetDeadline(time.Now().Add(2 * l.timeout)) // a join waits for its commit
	return json.NewEncoder(t).Encode(l.answer(c))
}

// call asks the member at the address.
func (l *link) call(ctx context.Context, address string, c call) (reply, error) {
	var r reply
	t, err := l.dial(ctx, address, kindCall)
	if err != nil {
		return r, err
	}
	defer t.Close()
	defer context.AfterFunc(ctx, func() { t.Close() })()
	if err := json.NewEncoder(t).Encode(c); err != nil {
		return r, fmt.Errorf("ask %s: %w", address, err)
	}
	if err := json.NewDecoder(io.LimitReader(t, callMax)).Decode(&r); err != nil {
		return r, fmt.Errorf("answer of %s: %w", address, err)
	}
	return r, nil
}

// Dial opens a stream for raft.
func (l *link) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return l.dial(ctx, string(address), kindRaft)
}

func (l *link) dial(ctx context.Context, address string, kind byte) (net.Conn, error) {
	c, err := l.network.DialContext(ctx, address)
	if err != nil {
		return nil, err
	}
	t, err := l.track(c, kind)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { t.SetDeadline(time.Unix(1, 0)) })()
	if l.creds != nil {
		secure := tls.Client(c, l.creds.client(address))
		if err := secure.HandshakeContext(ctx); err != nil {
			t.Close()
			return nil, fmt.Errorf("TLS with %s: %w", address, err)
		}
		t.Conn = secure
	}
	if _, err := t.Write(hello(kind, l.ident.cluster())); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func hello(kind byte, cluster string) []byte {
	return append(append([]byte(helloMagic), kind, byte(len(cluster))), cluster...)
}

func readHello(r io.Reader) (kind byte, cluster string, err error) {
	var head [len(helloMagic) + 2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", fmt.Errorf("hello: %w", err)
	}
	kind = head[len(helloMagic)]
	if string(head[:len(helloMagic)]) != helloMagic || kind != kindRaft && kind != kindCall && kind != kindAPI {
		return 0, "", errors.New("hello: not a member of a keeper")
	}
	name := make([]byte, head[len(helloMagic)+1])
	if _, err := io.ReadFull(r, name); err != nil {
		return 0, "", fmt.Errorf("hello: %w", err)
	}
	return kind, string(name), nil
}

// Accept returns the next stream for raft.
func (l *link) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr is where the others dial.
func (l *link) Addr() net.Addr { return address(l.advertise) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// Close ends all streams: raft's transport would leave those open that others
// have dialled.
func (l *link) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.door.Close()
		l.listener.Close()
		l.mu.Lock()
		open := l.conns
		l.conns = nil
		l.mu.Unlock()
		for c := range open {
			c.raw.Close()
		}
	})
	return nil
}

// wait returns, after Close, when nobody reads from our streams any more. raft
// does not wait for its own readers, and one that finds the disk closed when it
// wants to save a new term ends the process.
func (l *link) wait() {
	l.work.Wait()
	l.reading.Wait()
}

// linkConn is one open connection; Conn is replaced by its TLS form before
// anybody else uses it.
type linkConn struct {
	net.Conn
	raw  net.Conn
	link *link
	read bool // counted in link.reading; set before raft has it
	kind byte // of link.mu
	done sync.Once
}

// errDeaf is why a member speaks with nobody for a while.
var errDeaf = errors.New("this member waits for its disk")

// track counts an open connection; the kind is known of those that we dial.
func (l *link) track(c net.Conn, kind byte) (*linkConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.room(kind)
	if kind != kindAPI && err == nil && len(l.conns)-l.apiOpen >= streamsMax {
		err = net.ErrClosed
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	t := &linkConn{Conn: c, raw: c, link: l, kind: kind}
	l.conns[t] = struct{}{}
	if kind == kindAPI {
		l.apiOpen++
	}
	return t, nil
}

// room tells whether there may be one more of a kind. mu is held.
func (l *link) room(kind byte) error {
	switch {
	case l.conns == nil:
		return net.ErrClosed
	case kind == kindRaft && l.deaf:
		return errDeaf
	case kind == kindAPI && l.apiOpen >= apiStreamsMax:
		return errAPIStreams
	}
	return nil
}

// assign notes what kind a connection is that has come in.
func (l *link) assign(t *linkConn, kind byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.room(kind); err != nil {
		return err
	}
	if t.kind = kind; kind == kindAPI {
		l.apiOpen++
	}
	return nil
}

// deafen ends raft's streams and allows no others until it is called with
// false: to the other members this one is gone.
func (l *link) deafen(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = on
	for c := range l.conns {
		if on && c.kind == kindRaft {
			c.raw.Close()
		}
	}
}

// forget is track's opposite; it may be called again.
func (l *link) forget(c *linkConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.conns[c]; !open {
		return
	}
	delete(l.conns, c)
	if c.kind == kindAPI {
		l.apiOpen--
	}
}

// Close is raft's last act on a stream that it reads. It closes the socket
// without the goodbye of TLS, which could block.
func (c *linkConn) Close() error {
	c.link.forget(c)
	if c.read {
		defer c.done.Do(c.link.reading.Done)
	}
	return c.raw.Close()
}

// SetDeadline acts on the socket: the TLS form may be just being made.
func (c *linkConn) SetDeadline(t time.Time) error { return c.raw.SetDeadline(t) }
