package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// The bound that the taps of these tests have, and what a tee may add to a
// node's memory: two buffers of that size, and what the collector leaves.
const (
	bufferMost = 1 << 20
	memoryMost = 32 << 20
)

func bounded() []string { return []string{fmt.Sprintf("%s=%d", bufferKnob, bufferMost)} }

// bufferKnob bounds what waits for the reader of a tee.
const bufferKnob = "tap.buffer_bytes_max"

// stallKnob says how long the reader of a tee may take nothing. It is turned
// where a stall is wanted: a busy machine has readers that stall unasked.
const stallKnob = "tap.stall_timeout"

// harmed is production under a tee that goes wrong.
type harmed struct {
	*node
	clients *swarm.Swarm
	stop    func() uint64 // publishing
	before  int64         // memory, in bytes
	most    int64         // that waited for the reader
	tees    int           // that have ended
}

// busy has clients get what fills a tap's buffer within a second.
func busy(t *testing.T, n *node) *harmed {
	const users, rate, size = 40, 1500, 1000
	h := &harmed{node: n, clients: n.crowd(t, "u-", users, "fast", "ws,sse=20%,stream=20%")}
	h.stop = n.tell(t, size, tells{"u-", users, rate})
	eventually(t, "messages arrive", func() bool { return h.clients.Received() > rate })
	h.before = n.memory(t)
	return h
}

// memory is what a node has to itself: pages of its program are shared with
// other nodes that come and go.
func (n *node) memory(t *testing.T) int64 {
	t.Helper()
	m := n.stats(t).Memory
	return cmp.Or(m.OwnBytes, m.PSSBytes)
}

// tapIs waits until the tap does something; the node answers all the while, and
// holds its bound.
func (h *harmed) tapIs(t *testing.T, what string, f func(*pushdapi.Tap) bool) (s *pushdapi.Tap) {
	t.Helper()
	eventually(t, what, func() bool {
		s = h.tap(t)
		h.most = max(h.most, s.BufferBytes)
		return f(s)
	}, func() string { return fmt.Sprintf("%+v", *s) })
	return s
}

// ends waits until a tee has ended for a reason, and finds the reason in the
// log too, where those of the tees before it are.
func (h *harmed) ends(t *testing.T, reason string) *pushdapi.Tap {
	t.Helper()
	s := h.tapIs(t, "the tee ends", func(s *pushdapi.Tap) bool { return !s.Active && !s.EndedAt.IsZero() })
	if s.EndReason != reason || s.EndDetail == "" {
		t.Errorf("the tee ended (%s): %s; want %s", s.EndReason, s.EndDetail, reason)
	}
	h.tees++
	var ends []string
	eventually(t, "the end is logged", func() bool {
		ends = h.reasons("tee ended")
		return len(ends) >= h.tees
	})
	if ends[h.tees-1] != reason {
		t.Errorf("the log says that tees ended because of %v; want %s for the last", ends, reason)
	}
	return s
}

// reasons are those that the node has logged something with.
func (h *harmed) reasons(msg string) (out []string) {
	for line := range strings.Lines(h.log.text()) {
		var l struct{ Msg, Reason string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			out = append(out, l.Reason)
		}
	}
	return out
}

// dropped tells how many records metrics say were left out for a reason.
func (h *harmed) dropped(t *testing.T, reason string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(h.metric(t, `pushd_tap_dropped_total{reason="`+reason+`"}`), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tidy holds a tap's books to what they promise.
func tidy(t *testing.T, s *pushdapi.Tap) {
	t.Helper()
	for kind, seen := range s.Seen {
		if seen != s.Sent[kind]+s.Dropped[kind] {
			t.Errorf("%s: seen %d, sent %d, dropped %d", kind, seen, s.Sent[kind], s.Dropped[kind])
		}
	}
}

// unharmed ends publishing: each client got all, nobody was closed, and the
// node's memory is what it was. Each message was for so many clients.
func (h *harmed) unharmed(t *testing.T, clients uint64) {
	t.Helper()
	during := h.memory(t)
	sent := h.stop() * clients
	var s *pushdapi.Stats
	eventually(t, "all is delivered", func() bool {
		s = h.stats(t)
		return s.Totals.Delivered == sent && s.Queued.Messages == 0 && (h.clients == nil || uint64(h.clients.Received()) == sent)
	}, func() string { return fmt.Sprintf("sent %d, %+v", sent, s) })
	if sum(s.DroppedBy) != 0 || sum(s.ClosedBy) != 0 {
		t.Errorf("dropped %v, closed %v", s.DroppedBy, s.ClosedBy)
	}
	if h.clients != nil {
		if c := h.clients.Snapshot(); c.Closed != 0 || c.Missing != 0 || c.Malformed != 0 {
			t.Errorf("clients: %+v", c)
		}
	}
	if h.most > bufferMost || during-h.before > memoryMost {
		t.Errorf("%d bytes waited for the reader of the tee, memory grew from %d to %d bytes", h.most, h.before, during)
	}
	t.Logf("%d messages, all delivered; %d bytes at most waited for readers, memory grew by %d KiB", sent, h.most, (during-h.before)>>10)
}

// unread begins a tee that nobody reads.
func (n *node) unread(t *testing.T, network, addr string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ask(t, c)
}

func ask(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "GET /v1/tee?sample=100 HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// Whatever becomes of the other end of a tee, production's clients do not
// notice, and the tap says what it did.
func TestTeeHarmsNobody(t *testing.T) {
	h := busy(t, production(t, nodeOptions{knobs: bounded()}))
	active := func(s *pushdapi.Tap) bool { return s.Active && !s.Joining && s.Sent["publish"] > 0 }
	t.Run("stalled", func(t *testing.T) {
		h.set(t, stallKnob, "5s") // a buffer fills in one
		h.unread(t, "unix", h.admin)
		h.tapIs(t, "a full buffer is told of", func(s *pushdapi.Tap) bool { return s.DroppedBy["buffer"] > 0 })
		tidy(t, h.ends(t, "stalled"))
		if h.dropped(t, "buffer") == 0 {
			t.Error("metrics tell of no full buffer")
		}
		h.set(t, stallKnob, "1m")
	})
	t.Run("killed", func(t *testing.T) {
		to := shadow(t, nodeOptions{})
		c := begin(t, "tee", "start", "--from", h.admin, "--to", to.admin, "--sample", "100%", "--allow", "driver", "--allow", "cpu", "--allow", "p99")
		h.tapIs(t, "the tee is under way", active)
		eventually(t, "the shadow delivers", func() bool { return to.stats(t).Totals.Delivered > 0 })
		if err := c.cmd.Process.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.wait(t, patience)
		tidy(t, h.ends(t, "gone"))
		eventually(t, "the shadow is empty", func() bool { return to.stats(t).Connections.Total == 0 })
	})
	t.Run("disk full", func(t *testing.T) { h.diskFull(t) })
	t.Run("over budget", func(t *testing.T) { h.overBudget(t) })
	h.unharmed(t, 1)
}

// diskFull records on a disk of which two megabytes are free beyond what a
// recording leaves free.
func (h *harmed) diskFull(t *testing.T) {
	needRoot(t, "mounting a file system")
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=258m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	// Room for a reader that is slow: of a connection that leaves the sample
	// nothing is recorded any more, and a disk that nobody writes to is not full.
	h.set(t, bufferKnob, "16MiB")
	most := h.most
	defer func() {
		h.most = most // of the usual bound
		h.set(t, bufferKnob, fmt.Sprint(bufferMost))
	}()
	path := filepath.Join(dir, "traffic.tee")
	c := begin(t, "tee", "record", "--from", h.admin, "--sample", "100%", "--redact", "off", "--to-file", path, "-o", "json",
		"--allow", "cpu", "--allow", "p99", "--allow", "drops")
	slow := false
	eventually(t, "the recording ends", func() bool {
		s := h.tap(t)
		slow = s.Active && s.Torn >= uint64(h.clients.Snapshot().Target)
		return slow || c.hasEnded()
	})
	if slow {
		_ = c.cmd.Process.Kill()
		h.ends(t, "gone")
		t.Skip("this machine is too slow to record all this")
	}
	code := c.wait(t, patience)
	var r struct{ Ended, Detail string }
	if err := json.Unmarshal([]byte(c.out.text()), &r); err != nil || code != 1 || r.Ended != "disk" || !strings.Contains(r.Detail, "MiB left") {
		t.Fatalf("exit %d, %v in\n%s%s", code, err, c.out.text(), c.err.text())
	}
	tidy(t, h.ends(t, "gone"))
	out, errs, code := pushctl(t, "tee", "inspect", path, "-o", "json")
	var in struct {
		Connections uint64
		Records     map[string]uint64
	}
	if err := json.Unmarshal([]byte(out), &in); err != nil || code != 0 || in.Records["publish"] == 0 {
		t.Errorf("what was recorded cannot be read: exit %d, %v in\n%s%s", code, err, out, errs)
	}
}

// overBudget makes a tee dearer than it may be.
func (h *harmed) overBudget(t *testing.T) {
	for _, c := range []struct{ reason, knob, value, usual string }{
		{"cpu", "tap.cpu_percent_max", "0.1", "1000"},
		{"rate", "tap.bytes_rate_max", "65536", "67108864"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		body, err := h.API.Tee(ctx, pushdapi.TeeQuery{Sample: 100})
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		read := make(chan struct{})
		go func() { // ended by cancel
			defer close(read)
			_, _ = io.Copy(io.Discard, body)
		}()
		h.set(t, c.knob, c.value)
		s := h.tapIs(t, "the sample gets smaller because of "+c.reason, func(s *pushdapi.Tap) bool {
			return s.Active && s.Sample < s.Asked && s.Torn > 0
		})
		tidy(t, s)
		eventually(t, "the log tells of "+c.reason, func() bool {
			return slices.Contains(h.reasons("tee makes its sample smaller"), c.reason)
		})
		h.set(t, c.knob, c.usual)
		cancel()
		<-read
		body.Close()
		h.ends(t, "gone")
	}
}

func (n *node) set(t *testing.T, knob, value string) {
	t.Helper()
	if _, err := n.API.SetKnob(context.Background(), knob, pushdapi.KnobSet{Value: value, Why: "test"}); err != nil {
		t.Fatal(err)
	}
}

// The network between production and the reader of its tee is cut, without a
// word to either: from then on all packets are lost.
func TestTeeCutOff(t *testing.T) {
	const port = "7401" // of the private listener, in a network of its own
	h := &harmed{node: production(t, nodeOptions{alone: true, before: ownNetwork(t, rule("tcp dport 1 drop")),
		knobs: bounded(), flags: []string{"--private", "127.0.0.1:" + port}})}
	const clients, rate = 3, 1500
	h.connect(t, clients, fast())
	h.stop = h.tell(t, 1000, tells{name: user, rate: rate})
	eventually(t, "messages arrive", func() bool { return h.stats(t).Totals.Delivered > clients*rate })
	h.before = h.memory(t)
	c, err := h.dial(netip.MustParseAddrPort("127.0.0.1:"+port), 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ask(t, c)
	read := make(chan struct{})
	go func() { // ended by the Close below
		defer close(read)
		_, _ = io.Copy(io.Discard, c)
	}()
	h.tapIs(t, "the tee is under way", func(s *pushdapi.Tap) bool { return s.Active && !s.Joining && s.Sent["publish"] > 0 })
	h.set(t, stallKnob, "1s")
	err = h.inside(func() error {
		out, err := exec.Command("sh", "-c", rule("tcp dport "+port+" drop; tcp sport "+port+" drop")).CombinedOutput()
		if err != nil {
			return fmt.Errorf("cut: %w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tidy(t, h.ends(t, "stalled"))
	c.Close()
	<-read
	h.unharmed(t, clients)
}
