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

// why asks about all connections at once. A loop that does not answer within half
// a second leaves its own out, so that a node in trouble may have to be asked again.
func (n *node) why(t *testing.T) (all []said) {
	t.Helper()
	const tries = 5
	for range tries {
		if all = n.ask(t); len(all) == planted {
			return all
		}
	}
	t.Fatalf("%d connections explained, want %d", len(all), planted)
	return nil
}

func (n *node) ask(t *testing.T) (all []said) {
	t.Helper()
	out, errs, code := pushctl(t, "--node", n.admin, "why", user, "--for", watchFor.String(), "--timeout", patience.String(), "-o", "json")
	if code != 0 {
		t.Fatalf("pushctl why: exit %d\n%s%s", code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return all
}

// tally counts what was told right. A busy machine is no excuse for having blamed
// a client for what the network does, or the other way round.
func tally(t *testing.T, all []said, kind string, causes ...string) (wrong string) {
	t.Helper()
	right, mixed := 0, 0
	for _, s := range all {
		if s.Kind == kind && (len(causes) == 0 || slices.Contains(causes, s.Cause)) {
			right++
			continue
		}
		if kind != s.Kind && isOther(kind) && isOther(s.Kind) {
			mixed++
		}
		t.Logf("wrong: %s %s, held %.2f: %s", s.Kind, s.Cause, s.Held, s.Sentence)
		for _, c := range s.Candidates {
			t.Logf("    %-10s %-8s %.2f %s", c.Kind, c.Cause, c.Score, strings.Join(c.Evidence, "; "))
		}
	}
	t.Logf("%-22s %2d right, %2d wrong   %s", strings.TrimPrefix(t.Name(), "TestWhy/"), right, len(all)-right, all[0].Sentence)
	if mixed > len(all)-rightLeast {
		t.Fatalf("of %d with trouble of kind %s %d are said to have another", len(all), kind, mixed)
	}
	if right < rightLeast {
		return fmt.Sprintf("%d of %d right, want %d", right, len(all), rightLeast)
	}
	return ""
}

// isOther tells whether a kind is a cause beside the node, which a busy machine
// makes late.
func isOther(kind string) bool { return kind == "client" || kind == "network" }

// told asks about all connections and wants them told right.
func (n *node) told(t *testing.T, kind string, causes ...string) {
	t.Helper()
	steadily(t, func() string { return tally(t, n.why(t), kind, causes...) })
}

// toldAnyway is told of a node that keeps the machine busy itself.
func (n *node) toldAnyway(t *testing.T, kind string, causes ...string) {
	t.Helper()
	if wrong := tally(t, n.why(t), kind, causes...); wrong != "" {
		t.Error(wrong)
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
		n.connect(t, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		n.told(t, "healthy")
	})
	t.Run("slow reader", func(t *testing.T) {
		n := startNode(t, nodeOptions{knobs: []string{"queue.messages_max=128"}})
		n.connect(t, planted, slow(4000))
		n.publishing(t, 1, 20*time.Millisecond, 1000)
		n.queued(t, 100)
		n.told(t, "client", "slow")
	})
	t.Run("stalled reader", func(t *testing.T) {
		n := startNode(t, nodeOptions{knobs: []string{"queue.messages_max=128"}})
		n.connect(t, planted, stalled())
		n.publishing(t, 1, 20*time.Millisecond, 1000)
		n.queued(t, 100)
		n.told(t, "client", "stalled")
	})
	t.Run("lossy link", func(t *testing.T) {
		const port = "7400" // in a network of its own
		n := startNode(t, nodeOptions{port: port, alone: true, before: ownNetwork(t, loses(12, port))})
		n.connect(t, planted, fast())
		n.publishing(t, 1, 10*time.Millisecond, 500)
		n.delivered(t, 100)
		n.told(t, "network", "loss")
	})
	t.Run("CPU-starved node", func(t *testing.T) {
		n := startNode(t, nodeOptions{before: weak(t)})
		starve(t)
		n.connect(t, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		n.toldAnyway(t, "node", "cpu")
	})
	t.Run("lock", func(t *testing.T) {
		n := startNode(t, nodeOptions{pushd: plant, plant: "lock"})
		n.connect(t, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		steadily(t, func() string {
			all := n.why(t)
			if len(all[0].Missing) == 0 && !strings.Contains(all[0].Sentence, "takeOnLoop") {
				t.Logf("the lock is not named: %s", all[0].Sentence)
				return "the lock is not named"
			}
			return tally(t, all, "node", "lock")
		})
		t.Run("probe lock", func(t *testing.T) { steadily(t, func() string { return probeLock(t, n) }) })
	})
	t.Run("collector", func(t *testing.T) {
		n := startNode(t, nodeOptions{pushd: plant, plant: "gc", knobs: []string{"gc.percent=10"}})
		n.connect(t, planted, fast())
		n.publishing(t, 1, 50*time.Millisecond, 200)
		n.delivered(t, 20)
		n.toldAnyway(t, "node", "gc")
		t.Run("probe gc", func(t *testing.T) { probeGC(t, n) })
	})
	t.Run("bursting publisher", func(t *testing.T) {
		steadily(t, func() string { // once more is from the beginning: a burst becomes usual
			n := startNode(t, nodeOptions{knobs: []string{"queue.messages_max=128"}})
			n.connect(t, planted, slow(20_000))
			calm := n.publishing(t, 1, 50*time.Millisecond, 300)
			n.aged(t, 9) // to have a usual rate
			calm()
			burst := n.publishing(t, 800, 500*time.Millisecond, 300)
			defer burst()
			n.queued(t, 100)
			return tally(t, n.why(t), "publisher", "burst")
		})
	})
}

// weak returns the command that runs a node on one processor, where others go
// first.
func weak(t *testing.T) []string {
	t.Helper()
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors: one for the node, one for who watches")
	}
	return append(pinned(t), tool(t, "nice"), "-n", "10")
}

// pinned is the command that runs another on the first processor that this test
// may use.
func pinned(t *testing.T) []string {
	t.Helper()
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		t.Fatal(err)
	}
	first := 0
	for !may.IsSet(first) {
		first++
	}
	return []string{tool(t, "taskset"), "-c", fmt.Sprint(first)}
}

// hogs is how many compete with a starved node.
const hogs = 6

// starve keeps that processor busy until the test ends.
func starve(t *testing.T) {
	t.Helper()
	run := append(pinned(t), "sh", "-c", "while :; do :; done")
	for range hogs {
		hog := exec.Command(run[0], run[1:]...)
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

// loses is the command that has so many percent get lost of what comes from a
// port. Handshakes are spared: their first retry takes a second.
func loses(percent int, port string) string {
	return rule(fmt.Sprintf("tcp sport %s tcp flags & syn == 0 numgen random mod 100 < %d drop", port, percent))
}
