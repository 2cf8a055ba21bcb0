// Package tap mirrors whole connections, chosen by a nested hash of their user,
// and the messages of their users to one reader: a tee. What is mirrored is
// encoded into bounded buffers, and production waits for none of it: what finds
// no room is left out and counted, and its connection leaves the sample. Room
// of ARCHITECTURE.md: imports internal/knob, pushdapi and teewire.
package tap

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// Config is what New needs; all of it must be given but Log.
type Config struct {
	Knobs Knobs
	Clock func() int64                // ns of the node's clock, as reactor.Clock.Now
	Wall  func(clock int64) time.Time // of a reading of Clock
	Loops int
	Node  string // its name
	Build string // its version, with the commit if that is known
	Log   *slog.Logger
}

// Tap is a node's tap. At most one tee reads it. Its methods may be called from
// any goroutine.
type Tap struct {
	Config
	loops, pubs []*Shard
	wake        chan struct{} // a chunk is full
	reading     int64         // what reading the clock takes, ns
	threadCPU   func() int64  // ns that this thread has computed

	gen atomic.Uint64
	run atomic.Pointer[run] // nil: nothing is mirrored

	mu   sync.Mutex
	busy bool   // a Run has not returned
	last *run   // the tee under way, or the last one; nil before the first
	runs uint64 // tees so far
	// ended has the books of those that have ended.
	ended pushdapi.Tap
}

// State is what loops adapt to.
type State struct {
	Run    uint64       // number of the tee; 0: nothing is mirrored
	Sample float64      // percent of users
	Why    teewire.Drop // the sample became smaller
}

// New makes a tap that nobody reads.
func New(c Config) *Tap {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tap{Config: c, threadCPU: threadCPU, reading: math.MaxInt64, wake: make(chan struct{}, 1)}
	for range 16 {
		start := c.Clock()
		t.reading = min(t.reading, c.Clock()-start)
	}
	for i := range c.Loops {
		t.loops = append(t.loops, &Shard{tap: t, source: uint32(1 + i)})
	}
	for i := range min(16, max(2, runtime.GOMAXPROCS(0))) {
		t.pubs = append(t.pubs, &Shard{tap: t, source: uint32(1 + c.Loops + i)})
	}
	c.Knobs.onSample(t.adjust)
	return t
}

// Active tells whether a tee reads. It costs one load.
func (t *Tap) Active() bool { return t.run.Load() != nil }

// Gen changes whenever State does, or a user's connections have to leave. It
// costs one load.
func (t *Tap) Gen() uint64 { return t.gen.Load() }

// State returns what is mirrored now.
func (t *Tap) State() State {
	r := t.run.Load()
	if r == nil {
		return State{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return State{Run: r.number, Sample: r.sample(), Why: r.why}
}

// Sample returns the percent of users that are mirrored now, 0 without a tee.
func (t *Tap) Sample() float64 { return t.State().Sample }

// Loop returns what loop i writes to.
func (t *Tap) Loop(i int) *Shard { return t.loops[i] }

// Options are what the reader of a tee asks for.
type Options struct {
	Sample float64 // percent of users; the knob tap.sample_percent bounds it
	Redact teewire.Redact
	ID     string // names the tee to those who look at it and end it
	To     string // who reads, for messages
}

// A Sink takes a tee: first teewire.Magic, then whole batches, some a Write. A
// Write ends within the knob tap.stall_timeout; if it took nothing until then
// its error is an os.ErrDeadlineExceeded.
type Sink interface{ Write([]byte) error }

// start begins a tee.
func (t *Tap) start(o Options) (*run, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy {
		return nil, &pushdapi.Error{Status: http.StatusConflict, Code: "busy", Message: fmt.Sprintf(
			"%s; there can be one at a time: wait for its end, or end it by pushctl tee stop", t.last)}
	}
	if !(o.Sample > 0 && o.Sample <= 100) {
		return nil, &pushdapi.Error{Status: http.StatusBadRequest, Code: "bad_sample",
			Message: fmt.Sprintf("a sample of %v %% is not possible; ask for more than 0 and at most 100", o.Sample)}
	}
	knob := t.Knobs.Sample.Get()
	if stepsOf(min(knob, o.Sample)) == 0 {
		return nil, &pushdapi.Error{Status: http.StatusConflict, Code: "off",
			Message: fmt.Sprintf("nothing would be mirrored: the sample asked for is %v %%, and the knob tap.sample_percent allows %v %%; raise them", o.Sample, knob)}
	}
	now := t.Clock()
	t.runs++
	r := &run{number: t.runs, o: o, at: now, since: t.Wall(now), limit: 100, stop: make(chan struct{}), key: newKey(o.Redact)}
	r.pool = pool{size: chunkSize(t.Knobs.Buffer.Get(), len(t.loops)+len(t.pubs)), max: t.Knobs.Buffer.Get}
	r.steps.Store(stepsOf(min(knob, o.Sample)))
	for _, s := range t.shards() {
		s.begin(r)
	}
	t.busy, t.last = true, r
	t.run.Store(r)
	t.gen.Add(1)
	return r, nil
}

func (t *Tap) shards() []*Shard { return append(t.loops[:len(t.loops):len(t.loops)], t.pubs...) }

// adjust makes the sample what the knob and the budgets leave of what was
// asked for.
func (t *Tap) adjust() {
	if t.Knobs.Sample.Get() == 0 {
		t.stop(t.run.Load(), EndSample, "the knob tap.sample_percent was set to 0")
		return
	}
	t.resize(t.run.Load(), 100, teewire.DropSample)
}

// resize bounds the sample of a tee by limit from now on. Why is told by the
// connections that leave.
func (t *Tap) resize(r *run, limit float64, why teewire.Drop) {
	if r == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.limit = min(r.limit, limit)
	n := stepsOf(min(r.limit, r.o.Sample, t.Knobs.Sample.Get()))
	if n != r.steps.Load() {
		r.why = why
		r.steps.Store(n)
		t.gen.Add(1)
	}
}

// Why a tee ends: words of teewire.End.
const (
	EndStopped = "stopped" // by its API
	EndDrain   = "drain"   // the node stops
	EndSample  = "sample"  // tap.sample_percent was set to 0
	EndStalled = "stalled" // the reader took nothing for tap.stall_timeout
	EndGone    = "gone"    // the reader has left
	EndCPU     = "cpu"     // over tap.cpu_percent_max with the smallest sample
	EndRate    = "rate"    // over tap.bytes_rate_max with the smallest sample
)

// Stop ends the tee under way with a reason such as EndStopped; false if there
// is none. When it returns nothing is mirrored any more; Run returns when the
// reader has been told.
func (t *Tap) Stop(reason string) bool {
	detail := map[string]string{EndStopped: "by request", EndDrain: "the node stops"}[reason]
	return t.stop(t.run.Load(), reason, detail)
}

// StopFor ends a tee with EndStopped for somebody, who is named to its reader:
// the one with that id, or whichever reads if id is "". A *pushdapi.Error says
// that none reads, or that it is another one, which goes on.
func (t *Tap) StopFor(id, who string) error {
	r := t.run.Load()
	if r != nil && id != "" && r.o.ID != id {
		return &pushdapi.Error{Status: http.StatusConflict, Code: "another", Message: fmt.Sprintf(
			"tee %s does not read %s: %s; pushctl tee status says more, and pushctl tee stop --id %s ends that one", id, t.Node, r, r.o.ID)}
	}
	if !t.stop(r, EndStopped, "by request of "+who) {
		return &pushdapi.Error{Status: http.StatusNotFound, Code: "not_found", Message: fmt.Sprintf(
			"no tee reads %s; pushctl tee status says how the last one ended", t.Node)}
	}
	return nil
}

// stop ends a tee at once, if nobody has ended it before.
func (t *Tap) stop(r *run, reason, detail string) bool {
	if r == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.over.Load() {
		return false
	}
	r.end = teewire.End{At: t.Clock(), Reason: reason, Detail: detail}
	r.over.Store(true)
	t.run.Store(nil)
	t.gen.Add(1)
	close(r.stop)
	return true
}
