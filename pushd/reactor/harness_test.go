package reactor

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/knob"
)

// spy is a Handler that holds sockets and notes what it is told.
type spy struct {
	loop *Loop

	mu     sync.Mutex
	fds    map[uint64]int
	next   uint64
	opened int
	peers  []netip.AddrPort
	items  []Item
	turns  int // of them, since the last item
	ticks  int
	ready  chan uint64
	onItem func(*Item)
}

func (s *spy) Open(fd int, peer netip.AddrPort, from *Listener) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	s.next++
	s.fds[s.next] = fd
	s.peers = append(s.peers, peer)
	return s.next, true
}

func (s *spy) Ready(data uint64, events uint32) {
	if events&unix.EPOLLIN != 0 {
		select {
		case s.ready <- data:
		default:
		}
	}
}

func (s *spy) Item(it *Item) {
	if s.onItem != nil {
		s.onItem(it)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, *it)
	s.turns = 0
}

func (s *spy) Turn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	return false
}

func (s *spy) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ticks++
}

func (s *spy) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// closeOne closes a socket that Open took, on the loop.
func (s *spy) closeOne() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for data, fd := range s.fds {
		delete(s.fds, data)
		s.loop.CloseFD(fd)
		return
	}
}

func (s *spy) closeAll() {
	for {
		s.mu.Lock()
		n := len(s.fds)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		s.closeOne()
	}
}

// running is a loop with its spy.
type running struct {
	*spy
	t     *testing.T
	addr  string
	knobs *knob.Registry
	done  chan struct{}
	err   error
}

// start runs a loop on a listener of its own; c says the rest.
func start(t *testing.T, c Config, set ...string) *running {
	t.Helper()
	r := &running{t: t, knobs: knob.NewRegistry(), done: make(chan struct{})}
	c.Knobs, c.Clock = NewKnobs(r.knobs), NewClock()
	for i := 0; i+1 < len(set); i += 2 {
		if _, err := r.knobs.Set(set[i], set[i+1], "test", ""); err != nil {
			t.Fatal(err)
		}
	}
	release := func() {}
	if c.Listeners == nil {
		li := &Listener{Addr: netip.MustParseAddrPort("127.0.0.1:0")}
		var err error
		if release, err = li.Resolve(); err != nil {
			t.Fatal(err)
		}
		c.Listeners = []*Listener{li}
	}
	defer release()
	r.addr = c.Listeners[0].Addr.String()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.spy = &spy{loop: l, fds: map[uint64]int{}, ready: make(chan uint64, 64)}
	started := make(chan error, 1)
	go func() { l.Run(r.spy, func(err error) { started <- err }); close(r.done) }()
	if r.err = <-started; r.err != nil {
		<-r.done
		l.Close()
		return r
	}
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	_ = r.loop.Do(context.Background(), r.closeAll)
	r.loop.Stop()
	<-r.done
	r.loop.Close()
}

func (r *running) do(f func()) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.loop.Do(ctx, f); err != nil {
		r.t.Fatal(err)
	}
}

// eventually waits for a condition, asked on the loop.
func (r *running) eventually(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		ok := false
		if r.do(func() { ok = f() }); ok {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("did not happen: %s", what)
		}
	}
}

func (r *running) dial() net.Conn {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", r.addr, 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}
