package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watchTCP runs the probe on the server while f runs.
func watchTCP(t *testing.T, p *peer, o NetOptions, f func()) *NetReport {
	t.Helper()
	o.Interval = 20 * time.Millisecond
	return watch(t, &p.child, &o.Options, f, func(ctx context.Context, target *Target) (*NetReport, error) { return Net(ctx, target, o) })
}

func allowedNet(t *testing.T) {
	t.Helper()
	allowed(t)
	ownNet(t)
}

// wantCause wants these causes in this order, each with what to do.
func wantCause(t *testing.T, r *NetReport, want ...NetCause) {
	t.Helper()
	var got []NetCause
	for _, f := range r.Findings {
		if got = append(got, f.Cause); f.What == "" || len(f.Do) == 0 {
			t.Errorf("%+v", f)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// TestNetCountsListenDrops fills the queue of a server that does not accept.
func TestNetCountsListenDrops(t *testing.T) {
	allowedNet(t)
	p, twin := serve(t, 4), serve(t, 4)
	var quiet *NetReport
	r := watchTCP(t, p, NetOptions{}, func() {
		quiet = watchTCP(t, twin, NetOptions{}, func() {
			for range 20 {
				fd := tcpSocket(t)
				p.keep(fd)
				if err := unix.SetNonblock(fd, true); err != nil {
					t.Fatal(err)
				}
				if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: p.port}); err != unix.EINPROGRESS {
					t.Fatal(err)
				}
			}
			until(t, "drops of the queue", func() bool { return netstat(t, "ListenOverflows") >= 15 })
			for _, fd := range p.ends { // no SYN comes again while the figures are compared
				unix.Shutdown(fd, unix.SHUT_RDWR)
				unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			}
		})
	})
	if len(r.Listeners) != 1 {
		t.Fatalf("listeners %+v", r.Listeners)
	}
	l := r.Listeners[0]
	if want := netstat(t, "ListenOverflows"); l.Drops != want || r.Totals.Drops != want || int(l.Local.Port()) != p.port || l.BacklogMax != 4 || l.Peak != 5 || l.Sockets != 1 || l.Parts[0].Dropped != want {
		t.Errorf("%d drops in all, reported %+v", want, l)
	}
	wantCause(t, r, NetListener)
	wantCause(t, quiet)
	if quiet.Totals != (NetTotals{}) || len(quiet.Listeners) != 1 {
		t.Errorf("the quiet twin %+v", quiet.Totals)
	}
}

// TestNetSeesStalledPeer has a client that does not read.
func TestNetSeesStalledPeer(t *testing.T) {
	allowedNet(t)
	p := serve(t, 16)
	p.dial(1)
	p.do("accept 1")
	var seen atomic.Bool
	look := func(r *NetReport) { // a machine may have stood still before the window closed
		seen.Store(len(r.Connections) == 1 && r.Connections[0].StalledLooks >= 10 && r.Connections[0].WindowLimited > 2*WindowLimitedMin)
	}
	r := watchTCP(t, p, NetOptions{Look: look}, func() {
		p.do("fill")
		until(t, "looks at a closed window", seen.Load)
	})
	if len(r.Connections) != 1 {
		t.Fatalf("%+v", r.Connections)
	}
	c := r.Connections[0]
	if !c.Stalled() || !c.Open || c.Unsent == 0 || c.WindowLimited <= 0 || c.WindowLimited > 1 || c.StalledLooks < 10 || c.Seconds <= 0 || c.Acked == 0 || c.Segments == 0 {
		t.Errorf("%+v", c)
	}
	if r.Totals.Stalled != 1 || r.Totals.Limited != 1 || r.Totals.Open != 1 || r.Totals.Unsent != uint64(c.Unsent) {
		t.Errorf("%+v", r.Totals)
	}
	wantCause(t, r, NetWindow)
	if r.CostCPU <= 0 {
		t.Errorf("it cost %v", r.CostCPU)
	}
}

// TestNetFindsLoss drops a fifth of what a server sends.
func TestNetFindsLoss(t *testing.T) {
	allowedNet(t)
	p, twin := serve(t, 16), serve(t, 16)
	for _, s := range []*peer{p, twin} {
		s.dial(2)
		s.do("accept 2")
	}
	lossy(t, p.port)
	var quiet *NetReport
	r := watchTCP(t, p, NetOptions{}, func() {
		quiet = watchTCP(t, twin, NetOptions{}, func() {
			// Until enough is lost to be told from single losses; 400 messages of
			// which less than five are lost do not happen.
			for n := 0; n < 20 || p.do("retransmits") < 2*againMin && n < 200; n++ {
				p.do("write 20000")
				p.read(20000)
				twin.do("write 2000")
				twin.read(2000)
			}
		})
	})
	want := uint64(p.do("retransmits"))
	var sum uint64
	for _, c := range r.Connections {
		sum += uint64(c.Retransmits)
	}
	if want == 0 || r.Totals.Retransmits != want || sum != want || len(r.Peers) != 1 || r.Peers[0].Addr != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("%d retransmits, reported %+v %+v %+v", want, r.Totals, r.Peers, r.Connections)
	}
	wantCause(t, r, NetLoss)
	wantCause(t, quiet)
	// A processor that stood still may have sent something again by itself.
	if n := uint64(twin.do("retransmits")); quiet.Totals.Retransmits != n || quiet.Totals.Open != 2 || n == 0 && (quiet.Totals.Unwell != 0 || quiet.Hits != 0) {
		t.Errorf("%d retransmits of the quiet twin %+v", n, quiet)
	}
}

// lossy drops a fifth of the packets that come from a port.
func lossy(t *testing.T, port int) {
	t.Helper()
	command(t, "nft", "add table inet loss; add chain inet loss in { type filter hook input priority 0; }; add rule inet loss in tcp sport "+
		strconv.Itoa(port)+" numgen random mod 5 == 0 drop")
}

// TestNetCountsResets has clients that break off, one of them younger than the
// probe.
func TestNetCountsResets(t *testing.T) {
	allowedNet(t)
	p := serve(t, 16)
	p.dial(1)
	p.do("accept 1")
	var resets atomic.Uint64
	r := watchTCP(t, p, NetOptions{Look: func(r *NetReport) { resets.Store(r.Totals.Resets) }}, func() {
		p.dial(2)
		p.do("accept 2")
		for _, fd := range p.ends[:2] {
			if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
		}
		p.ends = p.ends[2:]
		until(t, "resets", func() bool { return resets.Load() >= 2 })
	})
	if r.Totals.Resets != 2 || len(r.Peers) != 1 || r.Peers[0].Resets != 2 {
		t.Errorf("%+v %+v", r.Totals, r.Peers)
	}
	wantCause(t, r)
}

// TestNetWatchesOne wants the figures of one well connection and of no other,
// also when only a thread with its own table of files has it.
func TestNetWatchesOne(t *testing.T) {
	allowedNet(t)
	p := serve(t, 16)
	p.dial(3)
	p.do("accept 3")
	p.do("unshare")
	peer := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(portOf(t, p.ends[1])))
	r := watchTCP(t, p, NetOptions{Peers: []netip.AddrPort{peer}}, func() {})
	if len(r.Connections) != 1 || r.Connections[0].Peer != peer || r.Connections[0].Local.Port() != uint16(p.port) || r.Connections[0].Inode == 0 || r.Connections[0].Looks < 2 || !r.Connections[0].Open {
		t.Fatalf("%+v", r.Connections)
	}
	wantCause(t, r)
	if r.Totals.Unwell != 0 {
		t.Errorf("%+v", r.Totals)
	}
	r = watchTCP(t, p, NetOptions{}, func() {})
	if r.Totals.Open != 3 || len(r.Connections) != 0 {
		t.Errorf("%+v %+v", r.Totals, r.Connections)
	}
}

// TestNetTargetEnds lets the process end while it is probed.
func TestNetTargetEnds(t *testing.T) {
	allowedNet(t)
	p := serve(t, 16)
	p.dial(1)
	p.do("accept 1")
	p.do("fill")
	r := watchTCP(t, p, NetOptions{Options: Options{MaxCPU: 1}}, p.stop)
	if r.End != EndExited || len(r.Connections) != 1 {
		t.Errorf("ended by %s: %+v", r.End, r.Connections)
	}
}

// TestNetReadsAddresses looks at this very process, over IPv6 and over IPv4 on
// a socket for both.
func TestNetReadsAddresses(t *testing.T) {
	allowed(t)
	target, err := FindAny(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	f := func(listen, dial string) {
		t.Helper()
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Skipf("no IPv6 here: %v", err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		c, err := net.Dial("tcp", net.JoinHostPort(dial, port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		peer := netip.MustParseAddrPort(c.LocalAddr().String())
		o := NetOptions{Peers: []netip.AddrPort{peer}}
		o.Duration = 10 * time.Millisecond
		r, err := Net(t.Context(), target, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Connections) != 1 || r.Connections[0].Peer != peer || r.Connections[0].Local != netip.MustParseAddrPort(c.RemoteAddr().String()) {
			t.Errorf("%s: %+v", peer, r.Connections)
		}
		want := netip.MustParseAddrPort(l.Addr().String())
		if !slices.ContainsFunc(r.Listeners, func(l Listener) bool { return l.Local == want }) {
			t.Errorf("%s is not among %+v", want, r.Listeners)
		}
	}
	f("[::1]:0", "::1")
	f("[::]:0", "127.0.0.1")
	f("127.0.0.1:0", "127.0.0.1")
}

// TestNetRefusesWithoutRights does without its capabilities on this thread, which
// gets them back.
func TestNetRefusesWithoutRights(t *testing.T) {
	allowed(t)
	target, err := FindAny(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var all, none [2]unix.CapUserData
	if err := unix.Capget(&hdr, &all[0]); err != nil {
		t.Skip(err)
	}
	for i, c := range all {
		none[i].Permitted = c.Permitted
	}
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := unix.Capset(&hdr, &all[0]); err != nil {
			t.Error(err)
		}
	}()
	o := NetOptions{}
	o.Duration = time.Millisecond
	if _, err := Net(t.Context(), target, o); err == nil || !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_BPF and CAP_PERFMON") {
		t.Errorf("%v", err)
	}
}
