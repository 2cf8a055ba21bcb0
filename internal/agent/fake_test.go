package agent

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// wire is the other end of a session, driven by a test.
type wire struct {
	mu        sync.Mutex
	connected bool
	since     time.Time
	said      []keeperapi.NodeFrame
}

func (w *wire) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (w *wire) Say(f keeperapi.NodeFrame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, f)
}

func (w *wire) State() (string, bool, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return "k1", w.connected, w.since
}

func (w *wire) link(up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connected, w.since = up, time.Now()
}

// broke returns the broken guards that were told.
func (w *wire) broke() (out []keeperapi.Broke) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.said {
		if f.Broke != nil {
			out = append(out, *f.Broke)
		}
	}
	return out
}

// drift returns the drift that was told last.
func (w *wire) drift() (out []keeperapi.Drift) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.said {
		if f.Drift != nil {
			out = f.Drift.List
		}
	}
	return out
}

// gauges are the figures that guards see.
type gauges struct {
	mu     sync.Mutex
	values map[string]float64
}

func (g *gauges) read() map[string]float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.values)
}

func (g *gauges) set(name string, v float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.values[name] = v
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// node is a process with an agent; it dies and starts again over one folder.
type node struct {
	*Agent
	t        *testing.T
	wire     *wire
	registry *knob.Registry
	log      *journal
	figures  *gauges
	cfg      Config
	end      func() // of Run; waits
	skew     keeperapi.Time
}

// someKnobs are those of every test's node; the configuration sets one.
func someKnobs() *knob.Registry {
	r := knob.NewRegistry()
	max := r.Int(knob.Spec{Name: "queue.messages_max", Unit: "messages"}, 512, 16, 65536)
	low := r.Int(knob.Spec{Name: "queue.messages_soft", Unit: "messages"}, 16, 1, 65536)
	r.Constrain("queue.messages_soft must not be above queue.messages_max", func(v knob.Values) bool { return v.Int(low) <= v.Int(max) })
	r.Duration(knob.Spec{Name: "heartbeat.ping"}, 25*time.Second, time.Second, time.Hour)
	r.Bytes(knob.Spec{Name: "queue.bytes_max"}, 64<<10, 0, 1<<30)
	r.Int(knob.Spec{Name: "loops.count", Acts: knob.Restart}, 2, 1, 64)
	if _, err := r.Set("heartbeat.ping", "20s", "config", "baseline"); err != nil {
		panic(err)
	}
	return r
}

// fresh returns a node that has not started.
func fresh(t *testing.T) *node {
	n := &node{t: t, figures: &gauges{values: map[string]float64{"drops.10s": 0.2, "conns": 100}}, log: &journal{}}
	n.cfg = Config{ID: "gw-1", Epoch: "e1", Dir: quickDir(t), Log: slog.New(slog.NewTextHandler(n.log, nil)),
		Figures: n.figures.read}
	return n
}

// quickDir is a folder that need not wait for a disk, where there is one.
func quickDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "agent")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start begins a process. Without a link every keeper is dead.
func (n *node) start(up bool) *node {
	n.t.Helper()
	n.registry, n.wire = someKnobs(), &wire{}
	n.wire.link(up)
	n.cfg.Registry = n.registry
	a, err := build(n.cfg, func(keeperapi.Handler) session { return n.wire })
	if err != nil {
		n.t.Fatal(err)
	}
	n.Agent = a
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with cancel
		defer close(done)
		if err := a.Run(ctx); err != nil {
			n.t.Error(err)
		}
	}()
	n.end = func() { cancel(); <-done }
	synctest.Wait()
	return n
}

// die ends the process as kill -9 does: what is on disk stays as it is.
func (n *node) die() {
	n.Agent.mu.Lock()
	n.Agent.disk = nil // what it would write at the end goes nowhere
	n.Agent.mu.Unlock()
	n.end()
}

// pass lets time of synctest's clock pass.
func (n *node) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// now is what the keeper's clock shows.
func (n *node) now() keeperapi.Time { return keeperapi.TimeOf(time.Now()) + n.skew }

// full sends all that the node must hold.
func (n *node) full(revision uint64, knobs map[string]*keeperapi.Held) keeperapi.Ack {
	ack := handler{n.Agent}.Update(keeperapi.Update{Full: true, Revision: revision, Position: revision, Knobs: knobs, Now: n.now()})
	synctest.Wait()
	return ack
}

// delta sends what is other.
func (n *node) delta(revision uint64, knobs map[string]*keeperapi.Held) keeperapi.Ack {
	ack := handler{n.Agent}.Update(keeperapi.Update{Revision: revision, Position: revision, Knobs: knobs, Now: n.now()})
	synctest.Wait()
	return ack
}

// fleet is a value for all.
func fleet(revision uint64, value string) *keeperapi.Held {
	return &keeperapi.Held{Value: value, Layer: keeperapi.LayerFleet, Scope: keeperapi.Fleet, Revision: revision}
}

// until gives the value a deadline and what follows.
func until(h *keeperapi.Held, deadline keeperapi.Time, then ...keeperapi.Later) *keeperapi.Held {
	h.Deadline, h.Then = deadline, then
	return h
}

// guarded gives the value a guard and what is held without it.
func guarded(h *keeperapi.Held, guard string, instead *keeperapi.Later) *keeperapi.Held {
	h.Guard, h.Else = guard, instead
	return h
}

// canary is a value of a rollout.
func canary(revision uint64, value string, instead *keeperapi.Later) *keeperapi.Held {
	return &keeperapi.Held{Value: value, Layer: keeperapi.LayerCanary, Scope: keeperapi.CanaryScope("ro1"), Revision: revision,
		Rollout: "ro1", Else: instead}
}

func later(value string) *keeperapi.Later {
	return &keeperapi.Later{Value: value, Layer: keeperapi.LayerFleet, Scope: keeperapi.Fleet}
}

var byDefault = keeperapi.Later{Layer: keeperapi.LayerDefault}

// holds checks a value and where it comes from, as in "256 fleet r419".
func (n *node) holds(name, want string) {
	n.t.Helper()
	s, err := n.registry.Get(name)
	if got := s.Value + " " + s.Source; err != nil || got != want {
		n.t.Errorf("%s is %s, %v; want %s", name, got, err, want)
	}
}

// drifts checks the drift as knob, want, have and reason.
func (n *node) drifts(want ...string) {
	n.t.Helper()
	var got []string
	for _, d := range n.wire.drift() {
		got = append(got, strings.Join([]string{d.Knob, d.Want, d.Have, d.Reason}, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		n.t.Errorf("drift %q, want %q", got, want)
	}
	if len(n.State().Drift) != len(want) {
		n.t.Errorf("State tells %d drifts, the keepers were told %d", len(n.State().Drift), len(want))
	}
}

// logs checks that the log says something.
func (n *node) logs(part string) {
	n.t.Helper()
	if !strings.Contains(n.log.String(), part) {
		n.t.Errorf("the log does not say %q:\n%s", part, n.log)
	}
}

const messages, soft, ping, size = "queue.messages_max", "queue.messages_soft", "heartbeat.ping", "queue.bytes_max"

type knobs = map[string]*keeperapi.Held
