package reactor

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/knob"
)

func TestAcceptRateIsAnUpperBound(t *testing.T) {
	const rate, clients = 40, 24
	r := start(t, Config{Loops: 1}, "accept.rate_max", "40")
	var from int64
	r.do(func() { from = r.loop.Now() })
	for range clients {
		r.dial() // the kernel takes them all
	}
	for n := 0; n < clients; {
		r.do(func() {
			n = r.opened
			// The bucket may have been full when the clients came.
			if most := 1 + rate/10 + rate*float64(r.loop.Now()-from)/1e9; float64(n) > most {
				t.Fatalf("%d accepted, at most %.1f may be by now", n, most)
			}
		})
	}
	if _, err := r.knobs.Set("accept.rate_max", "0", "test", ""); err != nil {
		t.Fatal(err)
	}
	for range clients {
		r.dial()
	}
	r.eventually("no limit", func() bool { return r.opened == 2*clients })
}

// However rare the ticks are, the rate is what the knob says.
func TestAcceptRateIsReachedWithManyLoops(t *testing.T) {
	f := func(loops int, rate string, want float64) {
		t.Helper()
		reg := knob.NewRegistry()
		l := &Loop{Config: Config{Loops: loops, Knobs: NewKnobs(reg)}}
		if _, err := reg.Set("accept.rate_max", rate, "test", ""); err != nil {
			t.Fatal(err)
		}
		got, over := 0.0, 60*time.Second
		for l.now = 0; l.now < int64(over); l.now += int64(l.TickEvery()) {
			for l.allowed() {
				l.tickets--
				got++
			}
		}
		if got /= over.Seconds(); math.Abs(got-want) > 0.05*want {
			t.Errorf("%d loops at %s/s: %.1f/s each, want %.1f", loops, rate, got, want)
		}
	}
	f(1, "100", 100)
	f(1, "5", 5)
	f(8, "8000", 1000)
	f(64, "3200", 50)
	f(200, "1000", 5)
}

func TestFullLoopLeavesTheListeningGroupAndComesBack(t *testing.T) {
	r := start(t, Config{Loops: 1, ConnsMax: 10})
	for i := range 10 {
		r.dial()
		r.eventually("accepted", func() bool { return r.opened == i+1 })
	}
	if c, err := net.Dial("tcp", r.addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial to a full loop: %v, %v", c, err)
	}
	r.do(r.closeOne)
	r.eventually("listening again", func() bool { return len(r.loop.lists) == 1 && !r.loop.full })
	r.dial()
	r.eventually("accepted", func() bool { return r.opened == 11 })
}

func TestAnotherLoopTakesWhatAFullOneCannot(t *testing.T) {
	a := start(t, Config{Loops: 2, ConnsMax: 3})
	b := start(t, Config{Loops: 2, ConnsMax: 3, Listeners: a.loop.Listeners})
	for i := range 6 {
		a.dial()
		a.eventually("accepted by either", func() bool { return a.count()+b.count() == i+1 })
	}
	if a.count() != 3 || b.count() != 3 {
		t.Errorf("%d and %d connections, want 3 and 3", a.count(), b.count())
	}
}

func TestRefuseTakesWhatTheKernelHas(t *testing.T) {
	f := func(rate string) {
		t.Helper()
		r := start(t, Config{Loops: 1}, "accept.rate_max", rate)
		const n = 300
		r.do(func() {
			for range n {
				r.dial()
			}
			r.loop.Refuse()
			if r.opened != n {
				t.Errorf("rate %s: %d of %d taken", rate, r.opened, n)
			}
		})
		if _, err := net.Dial("tcp", r.addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("rate %s: dial after Refuse: %v", rate, err)
		}
		ticks := 0
		r.do(func() { r.loop.full, ticks = true, r.ticks })
		r.eventually("ticks", func() bool { return r.ticks > ticks+2 })
		r.do(func() {
			if len(r.loop.lists) != 0 {
				t.Errorf("rate %s: listens again", rate)
			}
		})
	}
	f("0")
	f("10")
}

// lowestFree is the descriptor that the next open gets.
func lowestFree(t *testing.T) uint64 {
	t.Helper()
	fd, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	return uint64(fd)
}

func TestAcceptGoesOnWhenDescriptorsAreFreeAgain(t *testing.T) {
	r := start(t, Config{Loops: 1})
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	r.do(func() {
		for range 5 {
			r.dial()
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: lowestFree(t), Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	})
	r.eventually("accept fails", func() bool { return r.loop.AcceptErrors > 0 })
	if n := r.count(); n != 0 {
		t.Fatalf("%d accepted without descriptors", n)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	r.eventually("all accepted", func() bool { return r.opened == 5 })
}

func TestPeerAndReadiness(t *testing.T) {
	f := func(addr string) {
		t.Helper()
		li := &Listener{Addr: netip.MustParseAddrPort(addr)}
		release, err := li.Resolve()
		if err != nil {
			t.Logf("%s is not to be had here: %v", addr, err)
			return
		}
		r := start(t, Config{Loops: 1, Listeners: []*Listener{li}})
		release()
		c := r.dial()
		r.eventually("accepted", func() bool { return r.opened == 1 })
		if got := r.peers[0].String(); got != c.LocalAddr().String() {
			t.Errorf("peer %s, want %s", got, c.LocalAddr())
		}
		ready := func(want uint64) {
			t.Helper()
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			select {
			case data := <-r.ready:
				if data != want {
					t.Errorf("data %#x, want %#x", data, want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("not told")
			}
		}
		ready(1)
		r.do(func() {
			if err := r.loop.Rewatch(r.fds[1], 0xffff_1234_5678); err != nil {
				t.Error(err)
			}
			for len(r.ready) > 0 {
				<-r.ready
			}
		})
		ready(0xffff_1234_5678)
	}
	f("127.0.0.1:0")
	f("[::1]:0")
}

func TestTakenAddressIsAnErrorThatNamesIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	li := &Listener{Addr: netip.MustParseAddrPort(l.Addr().String())}
	if _, err := li.Resolve(); !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Resolve: %v", err)
	}
	if r := start(t, Config{Loops: 1, Listeners: []*Listener{li}}); !errors.Is(r.err, unix.EADDRINUSE) {
		t.Errorf("Run: %v", r.err)
	}
}
