package reactor

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inherited returns the descriptor of a socket as systemd would pass it.
func inherited(t *testing.T, f func() (*os.File, error)) int {
	t.Helper()
	file, err := f()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return int(file.Fd())
}

func listener(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func TestLoopsShareAnInheritedListener(t *testing.T) {
	l := listener(t)
	li := &Listener{Inherited: inherited(t, l.File)}
	release, err := li.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	release()
	if li.Addr.String() != l.Addr().String() {
		t.Errorf("address %s, want %s", li.Addr, l.Addr())
	}
	a := start(t, Config{Loops: 2, Listeners: []*Listener{li}})
	b := start(t, Config{Loops: 2, Listeners: []*Listener{li}})
	for i := range 20 {
		a.dial()
		a.eventually("accepted by either", func() bool { return a.count()+b.count() == i+1 })
	}
	a.do(a.loop.Refuse)
	for i := range 5 {
		a.dial()
		a.eventually("accepted by the other", func() bool { return a.count()+b.count() == 21+i })
	}
	b.do(func() { // what is in the socket waits for whoever comes next, and is not refused
		a.dial()
		b.loop.Refuse()
	})
	if n := a.count() + b.count(); n != 25 {
		t.Errorf("%d accepted by loops that refuse", n-25)
	}
	c := start(t, Config{Loops: 1, Listeners: []*Listener{li}})
	c.eventually("accepted by the next process", func() bool { return c.count() == 1 })
}

func TestInheritedListenerOfALoopWithItsOwnDescriptors(t *testing.T) {
	if err := mayUnshare(); err != nil {
		t.Skipf("unshare(CLONE_FILES) is not permitted here: %v", err)
	}
	li := &Listener{Inherited: inherited(t, listener(t).File)}
	if _, err := li.Resolve(); err != nil {
		t.Fatal(err)
	}
	r := start(t, Config{Loops: 1, Unshare: true, Listeners: []*Listener{li}})
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.dial()
	r.eventually("accepted", func() bool { return r.count() == 1 })
}

func TestWhatCannotBeInheritedIsRefused(t *testing.T) {
	f := func(want string, file func() (*os.File, error)) {
		t.Helper()
		li := &Listener{Inherited: inherited(t, file)}
		if _, err := li.Resolve(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve: %v, want %s", err, want)
		}
	}
	f("does not listen", func() (*os.File, error) { return os.Open(os.DevNull) })
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: t.TempDir() + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f("is no TCP socket", l.File)
}

func TestAddressIsSharedOnlyWhenAskedFor(t *testing.T) {
	r := start(t, Config{Loops: 1})
	addr := netip.MustParseAddrPort(r.addr)
	if _, err := (&Listener{Addr: addr}).Resolve(); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("Resolve of an address in use: %v", err)
	}
	other := start(t, Config{Loops: 1, Listeners: []*Listener{{Addr: addr, Share: true}}})
	if other.err != nil {
		t.Fatal(other.err)
	}
	release, err := other.loop.Listeners[0].Resolve()
	if err != nil {
		t.Fatal(err)
	}
	release()
	r.do(r.loop.Refuse)
	r.dial()
	other.eventually("accepted by the one that is left", func() bool { return other.count() == 1 })
}
