package e2e

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/swarm"
)

// herd is a swarm whose connections are all open.
type herd struct {
	*swarm.Swarm
	t testing.TB
}

// startHerd opens connections and waits until each is open.
func startHerd(t testing.TB, addr string, o swarm.Options) *herd {
	t.Helper()
	o.Target = netip.MustParseAddrPort(addr)
	s, err := swarm.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(context.Background())
	t.Cleanup(func() { s.Close() })
	select {
	case <-s.Ready():
	case <-time.After(2 * patience):
		t.Fatalf("connections are not open: %+v", s.Snapshot())
	}
	if c := s.Snapshot(); c.GivenUp > 0 {
		t.Fatalf("connections could not be opened: %+v", c)
	}
	return &herd{s, t}
}

// evenly is an equal share of each of the protocols.
func evenly(protos ...push.Proto) swarm.Mix[push.Proto] {
	var m swarm.Mix[push.Proto]
	for _, p := range protos {
		m = append(m, swarm.Share[push.Proto]{What: p, Part: 1 / float64(len(protos))})
	}
	return m
}

// farewells counts what the clients of a draining node hear.
type farewells struct {
	mu            sync.Mutex
	drain, closed map[int]int // by connection
	reasons       map[string]int
}

func (f *farewells) hooks() swarm.Hooks {
	f.drain, f.closed, f.reasons = map[int]int{}, map[int]int{}, map[string]int{}
	return swarm.Hooks{
		Message: func(conn int, msg []byte) {
			if bytes.HasPrefix(msg, []byte(`{"type":"drain","after_ms":`)) {
				f.mu.Lock()
				f.drain[conn]++
				f.mu.Unlock()
			}
		},
		Closed: func(conn int, reason string) {
			f.mu.Lock()
			f.closed[conn]++
			f.reasons[reason]++
			f.mu.Unlock()
		},
	}
}

// TestStopSaysGoodbye: SIGTERM lets 2,000 clients go, each with a drain frame
// and then close 1012, within the window, and nothing that was sent is lost.
func TestStopSaysGoodbye(t *testing.T) {
	const conns = 2000
	n := startPushd(t, "--knob", "drain.window=2s")
	var f farewells
	h := startHerd(t, n.client[0], swarm.Options{Conns: conns, Rate: 5000, Hooks: f.hooks(),
		Protos: evenly(push.ProtoWS, push.ProtoSSE, push.ProtoStream)})
	eventually(t, "all are counted", func() bool { return stats(t, n).Connections.Total == conns })
	pub := n.API.Publish(context.Background(), false, nil)
	for i := range conns {
		m := numbered("u-"+itoa(i), i+1)
		if err := pub.Send(&m); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := pub.Close(); err != nil || r.Delivered != conns {
		t.Fatalf("published: %+v, %v", r, err)
	}
	n.signal(syscall.SIGTERM)
	if code := n.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	eventually(t, "all clients are gone", func() bool { return h.Snapshot().Open == 0 })
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.drain) != conns || len(f.closed) != conns {
		t.Errorf("%d clients saw a drain frame and %d a close, want %d each", len(f.drain), len(f.closed), conns)
	}
	for reason, k := range f.reasons {
		if !strings.Contains(reason, "1012") && !strings.Contains(reason, "drain") {
			t.Errorf("%d clients were closed with %q, want drain", k, reason)
		}
	}
	if c := h.Snapshot(); c.Received != conns || c.Malformed != 0 {
		t.Errorf("%d of %d messages came, %d malformed frames", c.Received, conns, c.Malformed)
	}
	for _, msg := range []string{"stopping", "draining", "stopped"} {
		if n.logged(msg) == nil {
			t.Errorf("the log does not say %q:\n%s", msg, n.text())
		}
	}
	if l := string(n.logged("stopped")); !strings.Contains(l, `"cut_off":0`) {
		t.Errorf("some were cut off: %s", l)
	}
	if _, err := os.Stat(n.admin); err == nil {
		t.Error("the admin socket is still there")
	}
}

// TestSecondSignalEndsAtOnce: whoever asks twice does not want to wait.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	n := startPushd(t, "--knob", "drain.window=10m")
	startHerd(t, n.client[0], swarm.Options{Conns: 50})
	n.signal(syscall.SIGTERM)
	eventually(t, "it drains", func() bool { return n.logged("draining") != nil })
	eventually(t, "it ends", func() bool { // the first 0.3 s count as one signal
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		return n.hasEnded()
	})
	if code := n.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

// TestKilledNodeLeavesNothingInTheWay: the admin socket of a dead node is
// taken over, that of a living one is not, nor are its ports.
func TestKilledNodeLeavesNothingInTheWay(t *testing.T) {
	dead := startPushd(t)
	dead.signal(syscall.SIGKILL)
	dead.exit()
	if _, err := os.Stat(dead.admin); err != nil {
		t.Fatalf("no socket is left: %v", err)
	}
	alive := startPushd(t, "--admin-socket", dead.admin, "--listen", dead.client[0], "--private", dead.API.Addr())
	if out, code := pushctl(t, "--node", alive.admin, "stats"); code != 0 {
		t.Errorf("pushctl by the socket: %d %s", code, out)
	}
	f := func(want string, flags ...string) {
		t.Helper()
		p := launch(t, flags...)
		if code := p.exit(); code != 1 {
			t.Errorf("%q: exit code %d, want 1", flags, code)
		}
		if text := p.text(); !strings.Contains(text, want) || strings.Contains(text, "panic") {
			t.Errorf("%q says %q, want %q", flags, text, want)
		}
	}
	f("--admin-socket", "--admin-socket", alive.admin)
	f("--listen", "--listen", alive.client[0])
	f("--private", "--private", alive.API.Addr())
	if out, code := pushctl(t, "--node", alive.admin, "stats"); code != 0 {
		t.Errorf("after others tried: %d %s", code, out)
	}
}
