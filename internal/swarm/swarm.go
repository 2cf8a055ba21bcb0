// Package swarm holds very many client connections to one gateway from one
// process: the load side of pushctl bench, and with Options.Manual the clients
// of a shadow, which are opened, paced and ended one by one.
//
// A few workers, each an epoll loop with its own part of the connections, open
// them at a paced rate, speak WebSocket, SSE, the NDJSON stream or long poll,
// answer pings, check the numbering of messages and measure latency from the
// time stamped into the payload. Records hold no pointers; an idle connection
// owns no buffer. With Unshare each worker has its own descriptor table, so
// that the process passes its descriptor limit.
package swarm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/push"
)

// Options say what connections to hold. Only Target and Conns are required.
type Options struct {
	Target netip.AddrPort // the client listener, IPv4
	Conns  int            // connections to hold, at most ConnsMax
	Manual bool           // nothing is dialled or tried again by itself: see Dial
	Rate   float64        // connections opened per second; 0 is 5000

	Protos   Mix[push.Proto] // empty: all WebSocket
	Profiles Mix[Profile]    // empty: all Fast

	User  func(i int) string // name of connection i; nil: "u-<i>"
	Token func(i int) string // JWT of connection i, sent as ?token=; nil or "": none
	Query string             // put behind the request's query, for example "resume=1"

	Workers int  // event loops; 0: as Unshare and Conns ask for
	Unshare bool // one locked thread and descriptor table per worker
	FDsMax  int  // descriptors a table may hold; 0: RLIMIT_NOFILE

	Source         netip.Addr // first source address; zero: 127.0.0.2, none if Target is not loopback
	PortsPerSource int        // connections from one address; 0: 40 % of the port range

	HandshakesMax    int           // unfinished at a time and worker; 0: 256
	HandshakeTimeout time.Duration // 0: 10 s
	Reconnect        bool          // come back after the server closed, as its close code asks
	TriesMax         int           // attempts in a row before a connection is given up; 0: 8
	PollWait         time.Duration // wait asked in a long poll; 0: 25 s
	SlowBytes        int           // bytes per second that a Slow reader takes; 0: 200
	ChurnMean        time.Duration // mean life of a Churn connection; 0: 10 s
	MessageMax       int           // bytes of one message given to Hooks; 0: 64 KiB

	Hooks Hooks
	Seed  uint64 // of random choices; equal seeds choose alike
}

// ConnsMax bounds Options.Conns: a connection's number must fit its event data.
const ConnsMax = 1 << 24

// Hooks are called on the worker that owns the connection, with its lock held:
// they must be quick and may call no method of Swarm but Send and those that a
// manual swarm obeys. Slices are valid only during the call. Each may be nil.
type Hooks struct {
	Open    func(conn int)
	Message func(conn int, msg []byte) // data and control frames, as JSON
	Closed  func(conn int, reason string)
	Failed  func(conn int, reason string) // it did not open and will not be tried again
}

func (o *Options) defaults() {
	def(&o.Rate, 5000)
	def(&o.HandshakesMax, 256)
	def(&o.HandshakeTimeout, 10*time.Second)
	def(&o.TriesMax, 8)
	if o.Manual {
		o.TriesMax, o.Reconnect = 1, false
	}
	def(&o.PollWait, 25*time.Second)
	def(&o.SlowBytes, 200)
	def(&o.ChurnMean, 10*time.Second)
	def(&o.MessageMax, 64<<10)
	if o.User == nil {
		o.User = func(i int) string { return fmt.Sprintf("u-%d", i) }
	}
	if !o.Source.IsValid() && o.Target.Addr().IsLoopback() {
		o.Source = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	}
}

func def[T int | float64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Swarm is a set of client connections.
type Swarm struct {
	opts    Options
	plan    Plan
	workers []*worker
	ready   chan struct{}
	pending atomic.Int64 // connections that were neither opened nor given up yet
	stop    chan struct{}
	once    sync.Once
	done    sync.WaitGroup
	started bool
	errMu   sync.Mutex
	err     error
}

// ErrClosed is returned by Send after Close.
var ErrClosed = errors.New("swarm is closed")

var errInboxFull = errors.New("too many messages wait to be sent; send slower")

// New plans the connections and prepares the workers; nothing is dialled
// before Start. Its error says what to change.
func New(o Options) (*Swarm, error) {
	plan, err := MakePlan(o)
	if err != nil {
		return nil, err
	}
	o.defaults()
	s := &Swarm{opts: o, plan: plan, ready: make(chan struct{}), stop: make(chan struct{})}
	if s.pending.Store(int64(o.Conns)); o.Manual {
		close(s.ready)
	}
	for i := range plan.Workers {
		w, err := newWorker(s, i)
		if err != nil {
			s.freePollers()
			return nil, fmt.Errorf("worker %d: %w", i, err)
		}
		s.workers = append(s.workers, w)
	}
	return s, nil
}

// Plan returns what New planned.
func (s *Swarm) Plan() Plan { return s.plan }

// Start begins to connect. The workers end when ctx does, or with Close.
func (s *Swarm) Start(ctx context.Context) {
	s.started = true
	for _, w := range s.workers {
		s.done.Add(1)
		go w.run() // ended by halt
	}
	s.done.Add(1)
	go func() { // ended by ctx or halt
		defer s.done.Done()
		select {
		case <-ctx.Done():
			s.halt(nil)
		case <-s.stop:
		}
	}()
}

// Ready is closed once every connection was open or has been given up; of a
// manual swarm from the start.
func (s *Swarm) Ready() <-chan struct{} { return s.ready }

// Done is closed when the swarm stops, by Close, its context or an error.
func (s *Swarm) Done() <-chan struct{} { return s.stop }

func (s *Swarm) settled(n int64) {
	if s.pending.Add(-n) == 0 {
		close(s.ready)
	}
}

// halt tells all workers to close their connections and end.
func (s *Swarm) halt(err error) {
	s.once.Do(func() {
		s.errMu.Lock()
		s.err = err
		s.errMu.Unlock()
		close(s.stop)
		for _, w := range s.workers {
			w.stopping.Store(true)
			w.poll.Wake()
		}
	})
}

// Close closes all connections, waits for the workers and returns the error
// that ended one of them early, if any. Snapshot and Latency stay usable.
func (s *Swarm) Close() error {
	s.halt(nil)
	s.done.Wait()
	s.freePollers()
	s.errMu.Lock()
	defer s.errMu.Unlock()
	return s.err
}

func (s *Swarm) freePollers() {
	for _, w := range s.workers {
		w.free()
	}
}

// Send writes payload on connection conn as one WebSocket text message; on the
// other transports, whose clients cannot send, it is dropped and counted. It
// may be called from any goroutine and returns before the bytes are written.
func (s *Swarm) Send(conn int, payload []byte) error {
	return s.post(conn, order{todo: doSend, payload: append([]byte(nil), payload...)})
}

func (s *Swarm) post(conn int, o order) error {
	if conn < 0 || conn >= s.opts.Conns {
		return fmt.Errorf("connection %d: there are %d", conn, s.opts.Conns)
	}
	o.slot = uint32(conn % s.plan.PerWorker)
	return s.workers[conn/s.plan.PerWorker].post(o)
}
