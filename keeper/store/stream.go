package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// apiStreamsMax bounds the streams of the API that are open between this
// member and others, apart from streamsMax so that they never take raft's
// place.
const apiStreamsMax = 1024

// errAPIStreams is the reason when there is no room for another stream.
var errAPIStreams = fmt.Errorf("%d streams of the API are open between members, which is the most; try again later", apiStreamsMax)

// admitted is the first byte from the member that was dialled. Without it
// nobody has read a request, so it can be sent elsewhere.
const admitted = 'y'

// Streams returns where streams arrive that other members open with
// DialLeader: what comes in is plain bytes, of a member of the same cluster.
// It is the same listener at each call and ends with the store; closing it
// refuses further streams and leaves open ones alone. One that is not accepted
// within 5 s is closed.
func (s *Store) Streams() net.Listener { return s.link.door }

// DialLeader opens a stream to the leader's Streams over the members' own
// link. Errors are of the kind ErrNotLeader when nobody leads, ErrShutdown, or
// the network's; after any of them nobody has read from the stream. A leader
// must not dial itself: ask Leadership before.
func (s *Store) DialLeader(ctx context.Context) (net.Conn, error) {
	l, _ := s.Leadership()
	switch {
	case s.ctx.Err() != nil:
		return nil, ErrShutdown
	case l.ID == "":
		return nil, ErrNotLeader{}
	case l.ID == s.cfg.ID:
		return nil, errors.New("this member leads itself, there is nobody to dial")
	}
	return s.link.dialAPI(ctx, l.Address)
}

func (l *link) dialAPI(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	t, err := l.dial(ctx, address, kindAPI)
	if err != nil {
		return nil, fmt.Errorf("dial the leader: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { t.Close() })
	_, err = io.ReadFull(t, make([]byte, 1))
	if !stop() {
		return nil, fmt.Errorf("dial the leader at %s: %w", address, ctx.Err())
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("the leader at %s does not take the stream: %w", address, err)
	}
	return t, nil
}

// admit hands a stream to whoever accepts from the door. It closes those that
// it does not hand over.
func (l *link) admit(t *linkConn) {
	err := l.assign(t, kindAPI)
	if err == nil && l.door.gone() {
		err = net.ErrClosed
	}
	if err == nil {
		_, err = t.Write([]byte{admitted})
	}
	t.SetDeadline(time.Time{})
	if err == nil {
		err = l.door.hand(t)
	}
	if err != nil {
		t.Close()
		l.log.Warn("stream of the API refused", "from", t.RemoteAddr(), "err", err)
	}
}

// door is the listener of the API's streams.
type door struct {
	addr     net.Addr
	accepted chan net.Conn // after their hello
	closed   chan struct{}
	once     sync.Once
}

func newDoor() *door { return &door{accepted: make(chan net.Conn), closed: make(chan struct{})} }

func (d *door) hand(c net.Conn) error {
	late := time.NewTimer(helloTimeout)
	defer late.Stop()
	select {
	case d.accepted <- c:
		return nil
	case <-d.closed:
		return net.ErrClosed
	case <-late.C:
		return errors.New("nobody has accepted it")
	}
}

func (d *door) gone() bool {
	select {
	case <-d.closed:
		return true
	default:
		return false
	}
}

// Accept returns the next stream.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.accepted:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the members' address.
func (d *door) Addr() net.Addr { return d.addr }

// Close refuses further streams.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}
