package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pushfleet/internal/pushdapi"
)

// Of ten connections with one planted cause at least nine must be told right,
// all asked over the same time.
const (
	planted    = 10
	rightLeast = 9
	watchFor   = 4 * time.Second
)

// said is what pushctl why says of a connection.
type said struct {
	Conn, Kind, Cause, Sentence string
	Held                        float64
	Candidates                  []struct {
		Kind, Cause, Strength string
		Score                 float64
		Evidence              []string
	}
	Missing []struct{ What, Why string }
}

// why asks about all connections at once.
func (n *node) why(t *testing.T) []said {
	t.Helper()
	out, errs, code := pushctl(t, "--node", n.admin, "why", user, "--for", watchFor.String(), "--timeout", patience.String(), "-o", "json")
	if code != 0 {
		t.Fatalf("pushctl why: exit %d\n%s%s", code, out, errs)
	}
	var all []said
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(all) != planted {
		t.Fatalf("%d connections explained, want %d", len(all), planted)
	}
	return all
}

// tally counts what was told right.
func tally(t *testing.T, all []said, kind string, causes ...string) {
	t.Helper()
	right := 0
	for _, s := range all {
		ok := s.Kind == kind && (len(causes) == 0 || strings.Contains(strings.Join(causes, " "), s.Cause))
		if ok {
			right++
			continue
		}
		t.Logf("wrong: %s %s, held %.2f: %s", s.Kind, s.Cause, s.Held, s.Sentence)
		for _, c := range s.Candidates {
			t.Logf("    %-10s %-8s %.2f %s", c.Kind, c.Cause, c.Score, strings.Join(c.Evidence, "; "))
		}
	}
	t.Logf("%-22s %2d right, %2d wrong   %s", strings.TrimPrefix(t.Name(), "TestWhy/"), right, len(all)-right, all[0].Sentence)
	if right < rightLeast {
		t.Errorf("%d of %d right, want %d", right, len(all), rightLeast)
	}
}

// delivered waits until each connection has got so many messages.
func (n *node) delivered(t *testing.T, each uint64) {
	t.Helper()
	eventually(t, "messages arrive", func() bool {
		s, err := n.API.Stats(t.Context())
		return err == nil && s.Totals.Delivered >= each*planted
	})
}

// queued waits until each connection has so many messages queued.
func (n *node) queued(t *testing.T, each int64) {
	t.Helper()
	n.all(t, "messages wait", func(c pushdapi.ConnRow) bool { return c.Queued >= each })
}

// aged waits until the connections are so old.
func (n *node) aged(t *testing.T, seconds float64) {
	t.Helper()
	n.all(t, "connections grow old", func(c pushdapi.ConnRow) bool { return c.AgeSeconds >= seconds })
}

// all waits until all connections are there and ok.
func (n *node) all(t *testing.T, what string, ok func(pushdapi.ConnRow) bool) {
	t.Helper()
	eventually(t, what, func() bool {
		u, err := n.API.User(t.Context(), user)
		return err == nil && len(u.Sessions) == planted && !slices.ContainsFunc(u.Sessions, func(c pushdapi.ConnRow) bool { return !ok(c) })
	})
}

func TestWhy(t *testing.T) {
	plant := planter(t)
	t.Run("healthy", func(t *testing.T) {
		n := startNode(t, nodeOptions{})
		connect(t, n.client, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		all := n.why(t)
		for _, s := range all {
			if stall := machineStall(); s.Kind == "node" && s.Cause == "cpu" && stall > busyStall {
				t.Skipf("the machine is too busy for a node to be healthy, threads waited for a processor %.0f %% of the time: %s", stall, s.Sentence)
			}
		}
		tally(t, all, "healthy")
	})
	t.Run("slow reader", func(t *testing.T) {
		n := startNode(t, nodeOptions{knobs: []string{"queue.messages_max=128"}})
		connect(t, n.client, planted, slow(4000))
		n.publishing(t, 1, 20*time.Millisecond, 1000)
		n.queued(t, 100)
		tally(t, n.why(t), "client", "slow")
	})
	t.Run("stalled reader", func(t *testing.T) {
		n := startNode(t, nodeOptions{knobs: []string{"queue.messages_max=128"}})
		connect(t, n.client, planted, stalled())
		n.publishing(t, 1, 20*time.Millisecond, 1000)
		n.queued(t, 100)
		tally(t, n.why(t), "client", "stalled")
	})
	t.Run("lossy link", func(t *testing.T) {
		n := startNode(t, nodeOptions{port: lossyPort, before: lossyNamespace(t, 12, lossyPort)})
		inNamespace(t, lossy, func() { connect(t, n.client, planted, fast()) })
		n.publishing(t, 1, 10*time.Millisecond, 500)
		n.delivered(t, 100)
		tally(t, n.why(t), "network", "loss")
	})
	t.Run("CPU-starved node", func(t *testing.T) {
		n := startNode(t, nodeOptions{before: weak(t)})
		starve(t)
		connect(t, n.client, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		tally(t, n.why(t), "node", "cpu")
	})
	t.Run("lock", func(t *testing.T) {
		n := startNode(t, nodeOptions{pushd: plant, plant: "lock"})
		connect(t, n.client, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		all := n.why(t)
		tally(t, all, "node", "lock")
		if len(all[0].Missing) == 0 && !strings.Contains(all[0].Sentence, "takeOnLoop") {
			t.Errorf("the lock is not named: %s", all[0].Sentence)
		}
		t.Run("probe lock", func(t *testing.T) { probeLock(t, n) })
	})
	t.Run("collector", func(t *testing.T) {
		n := startNode(t, nodeOptions{pushd: plant, plant: "gc", knobs: []string{"gc.percent=10"}})
		connect(t, n.client, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		tally(t, n.why(t), "node", "gc")
		t.Run("probe gc", func(t *testing.T) { probeGC(t, n) })
	})
	t.Run("bursting publisher", func(t *testing.T) {
		n := startNode(t, nodeOptions{knobs: []string{"queue.messages_max=128"}})
		connect(t, n.client, planted, slow(20_000))
		calm := n.publishing(t, 1, 50*time.Millisecond, 300)
		n.aged(t, 9) // to have a usual rate
		calm()
		n.publishing(t, 800, 500*time.Millisecond, 300)
		n.queued(t, 100)
		tally(t, n.why(t), "publisher", "burst")
	})
}

// weak returns the command that runs a node on one processor, where others go
// first.
func weak(t *testing.T) []string {
	t.Helper()
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors: one for the node, one for who watches")
	}
	return []string{tool(t, "taskset"), "-c", "0", tool(t, "nice"), "-n", "10"}
}

// hogs is how many compete with a starved node.
const hogs = 6

// starve keeps that processor busy until the test ends.
func starve(t *testing.T) {
	t.Helper()
	for range hogs {
		hog := exec.Command("taskset", "-c", "0", "sh", "-c", "while :; do :; done")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = hog.Process.Kill()
			_ = hog.Wait()
		})
	}
}

// lossy is the name of a network namespace, lossyPort that of clients in it.
const (
	lossy     = "why-lossy"
	lossyPort = "7400"
)

// lossyNamespace makes a network whose loopback loses so many percent of what
// comes from a port, and returns the command that runs a node in it.
func lossyNamespace(t *testing.T, percent int, port string) []string {
	t.Helper()
	needRoot(t, "network namespaces")
	ip, nft := tool(t, "ip"), tool(t, "nft")
	must := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := exec.Command(ip, "netns", "add", lossy).CombinedOutput(); err != nil {
		t.Skipf("no network namespace: %v: %s", err, out)
	}
	t.Cleanup(func() { must(ip, "netns", "del", lossy) })
	in := []string{ip, "netns", "exec", lossy}
	must(append(in, ip, "link", "set", "lo", "up")...)
	rules := fmt.Sprintf("table ip why { chain in { type filter hook input priority 0; tcp sport %s tcp flags & syn == 0 numgen random mod 100 < %d drop; }; }", port, percent)
	if out, err := exec.Command(ip, "netns", "exec", lossy, nft, rules).CombinedOutput(); err != nil {
		t.Skipf("no way to lose packets here: nft: %v: %s", err, out)
	}
	return in
}

// inNamespace runs f on a thread in a network namespace: sockets that it opens
// itself are there.
func inNamespace(t *testing.T, name string, f func()) {
	t.Helper()
	done := make(chan error)
	go func() { // ends with f; its thread ends with it, being locked
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
				f()
			}
			unix.Close(fd)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
