package publish

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"pushfleet/internal/knob"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
)

// fakeLoops takes items and, unless it holds them, settles them at once.
type fakeLoops struct {
	n        int
	msgs     *slab.Messages
	receipts *receipt.Table

	mu    sync.Mutex
	room  int // items that fit; negative: any number
	hold  bool
	quiet bool // keep no record
	held  []reactor.Item
	got   []string // "handle tail" of what came
	items []reactor.Item
	posts int
}

func (l *fakeLoops) Count() int { return l.n }

func (l *fakeLoops) Post(loop int, items []reactor.Item) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts++
	if l.room >= 0 && len(items) > l.room {
		items = items[:l.room]
	}
	if l.room >= 0 {
		l.room -= len(items)
	}
	for i := range items {
		it := items[i]
		if !l.quiet {
			l.got = append(l.got, it.H.String()+" "+string(l.msgs.Tail(it.Msg)))
			l.items = append(l.items, it)
		}
		if l.hold {
			l.held = append(l.held, it)
		} else {
			l.settle(it)
		}
	}
	return len(items)
}

func (l *fakeLoops) settle(it reactor.Item) {
	if it.Kind == reactor.KindSend {
		l.receipts.Settle(it.Receipt, push.DropNone, 1)
	} else {
		l.receipts.Count(it.Receipt, push.DropNone, 5) // connections of each loop
		l.receipts.Finish(it.Receipt, 1)
	}
	l.msgs.Release(it.Msg)
}

func (l *fakeLoops) let(room int) {
	l.mu.Lock()
	l.room = room
	l.mu.Unlock()
}

func (l *fakeLoops) releaseHeld() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = false
	for _, it := range l.held {
		l.settle(it)
	}
	l.held = nil
}

func (l *fakeLoops) seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.got...)
}

// fakeSessions knows every connection of loop 0.
type fakeSessions struct{ kicked []push.Handle }

func (s *fakeSessions) Kick(h push.Handle, _ push.CloseReason) error {
	_, err := s.Describe(h)
	if err == nil {
		s.kicked = append(s.kicked, h)
	}
	return err
}

func (s *fakeSessions) Describe(h push.Handle) (pushdapi.ConnRow, error) {
	switch h.Loop() {
	case 0:
		return pushdapi.ConnRow{Conn: h.String(), Queued: 7}, nil
	case 1:
		return pushdapi.ConnRow{}, ErrGone
	}
	return pushdapi.ConnRow{}, context.DeadlineExceeded
}

type rig struct {
	*Publisher
	loops    *fakeLoops
	sessions *fakeSessions
	reg      *knob.Registry
	mux      *http.ServeMux
	memory   int64
}

// newRig is a publisher over two fake loops; ann has a connection on each of
// them, bob one, carl one that is resumable.
func newRig(t testing.TB, set ...string) *rig {
	t.Helper()
	r := &rig{reg: knob.NewRegistry(), sessions: &fakeSessions{}, memory: 64 << 20}
	k, rk := NewKnobs(r.reg), router.NewKnobs(r.reg)
	for i := 0; i < len(set); i += 2 {
		if _, err := r.reg.Set(set[i], set[i+1], "test", ""); err != nil {
			t.Fatal(err)
		}
	}
	clock := reactor.NewClock()
	msgs, err := slab.NewMessages(64<<20, func() int64 { return r.memory })
	if err != nil {
		t.Fatal(err)
	}
	rt, err := router.New(router.Config{UsersMax: 1 << 17, Loops: 2, Messages: msgs, Knobs: rk,
		Clock: func() uint32 { return reactor.MS(clock.Now()) }})
	if err != nil {
		t.Fatal(err)
	}
	tab := receipt.NewTable(64)
	r.loops = &fakeLoops{n: 2, msgs: msgs, receipts: tab, room: -1}
	r.Publisher = New(Config{Loops: r.loops, Router: rt, Messages: msgs, Receipts: tab, Sessions: r.sessions, Knobs: k, Clock: clock.Now})
	r.mux = http.NewServeMux()
	r.Handle(r.mux)
	for i, u := range []string{"ann", "bob", "carl", "ann"} {
		var q *router.Resume
		if u == "carl" {
			q = &router.Resume{}
		}
		if _, err := rt.Login(u, push.MakeHandle(0, uint8(i/3), uint32(i), 1), 0, q); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := tab.Opened(); n != 0 {
			t.Errorf("%d receipts left open", n)
		}
		rt.Close()
		if n := msgs.Bytes(); n != 0 && len(r.loops.held) == 0 {
			t.Errorf("%d bytes of messages left", n)
		}
		msgs.Close()
	})
	return r
}

// server serves the rig's API on a loopback port.
func (r *rig) server(t testing.TB) *httptest.Server {
	s := httptest.NewServer(r.mux)
	t.Cleanup(s.Close)
	return s
}
