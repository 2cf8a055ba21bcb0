// Package publish is the server API of a node: it takes messages by HTTP, one
// at a time or as a stream of lines, routes them, leaves them in the inboxes of
// the loops and answers what became of them.
package publish

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/tap"
)

// Loops are the event loops of the node. Post leaves a copy of items and says
// how many of them, from the first, the inbox took; a message reference travels
// with each of these.
type Loops interface {
	Count() int
	Post(loop int, items []reactor.Item) (accepted int)
}

// Sessions answers for open connections. Both ask the owning loop and wait a
// little for it. Their error is ErrGone, or says why the loop did not answer; it
// kicks all the same when it gets to it.
type Sessions interface {
	Kick(h push.Handle, reason push.CloseReason) error
	Describe(h push.Handle) (pushdapi.ConnRow, error)
}

// ErrGone says that a connection is not open any more.
var ErrGone = errors.New("the connection is gone")

// Trace sees each message to a user: where it was routed, or why it was
// dropped before. Its arguments are valid during the call only.
type Trace func(user []byte, m *Send, to []push.Handle, o router.Outcome, dropped push.DropReason)

// Why a stream is refused.
var (
	errDraining = errors.New("the node is draining; publish to another")
	errStreams  = errors.New("too many publish streams; end one or raise the knob publish.streams_max")
)

// Config is what New needs; all of it but Sessions and Tap must be given.
type Config struct {
	Loops    Loops
	Router   *router.Router
	Messages *slab.Messages
	Receipts *receipt.Table
	Sessions Sessions // nil: GET /v1/users shows connection names only, nothing is kicked
	Knobs    Knobs
	Clock    func() int64 // ns of the node's clock, as reactor.Clock.Now
	Tap      *tap.Tap     // nil: no messages are mirrored
}

// Publisher serves the API. Its methods may be called from any goroutine.
type Publisher struct {
	Config
	seed  maphash.Seed
	slots chan struct{} // publish.concurrency
	dedup *dedup
	trace atomic.Pointer[Trace]
	count counters

	draining atomic.Bool
	mu       sync.Mutex
	open     int // streams
	streams  map[net.Conn]struct{}
	running  sync.WaitGroup // streams
	pool     sync.Pool      // *batch, for single sends
}

// New makes a Publisher.
func New(c Config) *Publisher {
	n := int(c.Knobs.Concurrency.Get())
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)-c.Loops.Count()-1)
	}
	p := &Publisher{Config: c, seed: maphash.MakeSeed(), streams: map[net.Conn]struct{}{}, slots: make(chan struct{}, n),
		dedup: newDedup(int(c.Knobs.DedupEntries.Get()))}
	p.pool.New = func() any { return p.newBatch() }
	return p
}

// SetTrace sets the hook that sees messages; nil takes it away.
func (p *Publisher) SetTrace(f Trace) {
	if f == nil {
		p.trace.Store(nil)
		return
	}
	p.trace.Store(&f)
}

// Drain refuses everything from now on and ends the open streams, each with
// its last result.
func (p *Publisher) Drain() {
	p.draining.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.streams {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// Close drains and waits for the streams to end, until ctx is done; then it
// cuts them off.
func (p *Publisher) Close(ctx context.Context) error {
	p.Drain()
	done := make(chan struct{})
	go func() { p.running.Wait(); close(done) }() // ends with the streams, which are cut off below
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	for c := range p.streams {
		_ = c.Close()
	}
	p.mu.Unlock()
	<-done
	return ctx.Err()
}

// reserve counts a stream before its connection is taken over, which cannot be
// undone.
func (p *Publisher) reserve() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining.Load() {
		return errDraining
	}
	if int64(p.open) >= p.Knobs.Streams.Get() {
		return errStreams
	}
	p.open++
	p.running.Add(1)
	return nil
}

func (p *Publisher) unreserve() {
	p.mu.Lock()
	p.open--
	p.mu.Unlock()
	p.running.Done()
}

func (p *Publisher) track(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[c] = struct{}{}
	if p.draining.Load() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

func (p *Publisher) untrack(c net.Conn) {
	p.mu.Lock()
	delete(p.streams, c)
	p.mu.Unlock()
}

func (p *Publisher) acquire() { p.slots <- struct{}{} }
func (p *Publisher) release() { <-p.slots }
