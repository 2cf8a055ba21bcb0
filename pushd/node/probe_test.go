package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/daemon"
	"pushfleet/internal/push"
	"pushfleet/pushd/config"
)

// probed is a node with its probe, on loopback.
type probed struct {
	*Node
	*SelfProbe
	t *testing.T
}

// prepare makes a node that is not started yet.
func prepare(t *testing.T, edit func(*config.Config)) *probed {
	t.Helper()
	dir, err := os.MkdirTemp("", "pushd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := config.Default(func(string) string { return "" })
	cfg.Listen, cfg.Private, cfg.Loops = []string{"127.0.0.1:0"}, "127.0.0.1:0", 2
	cfg.AdminSocket, cfg.StateDir = filepath.Join(dir, "s"), dir
	cfg.Keeper.Addresses = []string{config.KeeperOff}
	cfg.Knobs = map[string]string{"drain.window": "0s"}
	if edit != nil {
		edit(&cfg)
	}
	n, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return &probed{n, n.SelfProbe(), t}
}

func startProbed(t *testing.T, edit func(*config.Config)) *probed {
	t.Helper()
	p := prepare(t, edit)
	p.start()
	return p
}

func (p *probed) start() {
	p.t.Helper()
	if err := p.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(p.SelfProbe.Close(ctx), p.Stop(ctx)); err != nil {
			p.t.Error(err)
		}
	})
}

// check probes once, for at most the time given.
func (p *probed) check(within time.Duration) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	return p.Check(ctx)
}

// fails expects a check to say these words. It is given little time at first: on
// a machine that stands still it has none left for what it is to find.
func (p *probed) fails(words string) {
	p.t.Helper()
	for within := 50 * time.Millisecond; ; within *= 4 {
		err := p.check(within)
		if err != nil && strings.Contains(err.Error(), words) {
			return
		}
		if err == nil || within > 10*time.Second {
			p.t.Errorf("check: %v, want %q", err, words)
			return
		}
	}
}

// serves expects two checks to succeed over one connection.
func (p *probed) serves() {
	p.t.Helper()
	for range 2 {
		if err := p.check(20 * time.Second); err != nil {
			p.t.Fatal(err)
		}
	}
	s := p.stats(p.t.Context(), false)
	if s.Connections.Total != 1 || s.Totals.Accepted != 1 || s.Totals.Delivered != 2 {
		p.t.Errorf("%d connections, %d accepted, %d delivered after two checks; want 1, 1 and 2",
			s.Connections.Total, s.Totals.Accepted, s.Totals.Delivered)
	}
}

func TestSelfProbeIsServedAsAClient(t *testing.T) {
	startProbed(t, nil).serves()
}

func TestSelfProbeNeedsNoKeyOfTheApplication(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProbed(t, func(c *config.Config) { c.Auth, c.JWT.HS256SecretFile = config.AuthJWT, secret })
	p.serves()
	if _, err := p.n.shared.Verifier.Verify("guessed"); err == nil {
		t.Error("another token is let in")
	}
}

func TestSelfProbeIsLetIntoAShadow(t *testing.T) {
	startProbed(t, func(c *config.Config) { c.Shadow = true }).serves()
}

func TestSelfProbeGoesThroughThePortOfAProxy(t *testing.T) {
	startProbed(t, func(c *config.Config) { c.Listen, c.ListenProxy = nil, []string{"127.0.0.1:0"} }).serves()
}

func TestSelfProbeAsksOnlyTheLoopsWhereNobodyTrustsIt(t *testing.T) {
	p := startProbed(t, func(c *config.Config) {
		c.Listen, c.ListenProxy = nil, []string{"127.0.0.1:0"}
		c.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	if err := p.check(20 * time.Second); err != nil || p.conn != nil {
		t.Errorf("check: %v, connection %v", err, p.conn)
	}
}

func TestSelfProbeComesBackAfterAKick(t *testing.T) {
	p := startProbed(t, nil)
	p.serves()
	for _, h := range p.shared.Router.Sessions(p.user) {
		if err := p.Kick(t.Context(), h, push.CloseKicked); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.check(20 * time.Second); err != nil || len(p.shared.Router.Sessions(p.user)) != 1 {
		t.Errorf("check: %v, sessions %v", err, p.shared.Router.Sessions(p.user))
	}
}

func TestSelfProbeSeesALoopThatHangs(t *testing.T) {
	p := startProbed(t, nil)
	p.serves()
	busy, release := make(chan struct{}), make(chan struct{})
	go p.workers[1].loop.Do(context.Background(), func() { close(busy); <-release })
	<-busy
	p.fails("loop 1 is busy")
	close(release)
	if err := p.check(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// inherit gives the node a listening socket that the test holds too.
func (p *probed) inherit(addr string) net.Listener {
	p.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		p.t.Skipf("%s is not to be had here: %v", addr, err)
	}
	p.t.Cleanup(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { f.Close() })
	p.Inherit([]daemon.Inherited{{FD: int(f.Fd()), Name: "clients"}})
	return l
}

func TestSelfProbeSeesThatNobodyAccepts(t *testing.T) {
	p := prepare(t, nil)
	p.inherit("127.0.0.1:0")
	p.start()
	for _, w := range p.workers {
		if err := w.loop.Do(t.Context(), w.loop.Refuse); err != nil {
			t.Fatal(err)
		}
	}
	p.fails("a client connection is not served")
}

func TestAFullNodeIsAlive(t *testing.T) {
	p := startProbed(t, func(c *config.Config) { c.Knobs["conns.max"] = "1" })
	other, err := net.Dial("tcp", p.ClientAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for end := time.Now().Add(time.Minute); p.shared.Open.Load() == 0; {
		if time.Now().After(end) {
			t.Fatal("not accepted")
		}
	}
	if err := p.check(20 * time.Second); err != nil || p.conn != nil {
		t.Errorf("check: %v, connection %v", err, p.conn)
	}
}

func TestInstancesOnOnePortProbeThemselves(t *testing.T) {
	a := startProbed(t, func(c *config.Config) { c.SharePort = true })
	addr := a.ClientAddrs()[0]
	b := startProbed(t, func(c *config.Config) { c.SharePort, c.Listen = true, []string{addr} })
	if b.ClientAddrs()[0] != addr {
		t.Fatalf("on %s, want %s", b.ClientAddrs()[0], addr)
	}
	for range 3 {
		for _, p := range []*probed{a, b} {
			if err := p.check(20 * time.Second); err != nil {
				t.Error(err)
			}
		}
	}
	// Without one only if the kernel chose the other process 3 × 16 times.
	if a.conn == nil || b.conn == nil || a.user == b.user {
		t.Errorf("connections %v and %v of %s and %s", a.conn, b.conn, a.user, b.user)
	}
}

func TestASharedPortIsRefusedToWhoDoesNotShare(t *testing.T) {
	a := startProbed(t, nil)
	b := prepare(t, func(c *config.Config) { c.Listen = []string{a.ClientAddrs()[0]} })
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "--share-port") {
		t.Errorf("start: %v", err)
	}
}

func TestInheritedSocketStandsForTheConfiguredAddress(t *testing.T) {
	p := prepare(t, nil)
	l := p.inherit("127.0.0.1:0")
	p.start()
	if got := p.ClientAddrs(); len(got) != 1 || got[0] != l.Addr().String() {
		t.Errorf("clients connect to %v, want %s", got, l.Addr())
	}
	p.serves()
}

func TestPublicInheritedSocketNeedsAuth(t *testing.T) {
	p := prepare(t, nil)
	p.inherit("0.0.0.0:0")
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "set --auth jwt") {
		t.Errorf("start: %v", err)
	}
}

func TestStatusLine(t *testing.T) {
	p := startProbed(t, nil)
	p.serves()
	got, want := p.StatusLine(), "serving on "+p.ClientAddrs()[0]+", 1 connections, "
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "knobs r") {
		t.Errorf("status %q, want it to begin with %q", got, want)
	}
}

func TestARefusedProbeIsAnswered(t *testing.T) {
	p := startProbed(t, nil)
	d, ok := p.dialer()
	if !ok {
		t.Fatal("no address")
	}
	_, err := d.dial(t.Context(), "", "")
	if a, ok := errors.AsType[*probeAnswer](err); !ok || a.status != 400 {
		t.Errorf("a client without a name: %v", err)
	}
}

func TestAPortIsSharedOnlyWithConsent(t *testing.T) {
	a := startProbed(t, nil)
	addr := a.ClientAddrs()[0]
	share := func(c *config.Config) { c.SharePort, c.Listen = true, []string{addr} }
	b := prepare(t, share)
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), addr+" is held by a pushd that does not share it") {
		t.Errorf("start: %v", err)
	}
	if err := errors.Join(a.SelfProbe.Close(t.Context()), a.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	startProbed(t, share).serves() // the claim went with the node
}
