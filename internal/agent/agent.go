// Package agent is what a Go program needs to obey keepers: it holds a session
// with them, puts the values that they commit into the program's knobs, and
// keeps on its own, with every keeper dead, what was agreed: deadlines, guards,
// the last known good on disk, and the way back from a value that kills the
// process.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// Config is what an agent needs. ID and Registry must be given.
type Config struct {
	Client   *keeperapi.Client // nil: no keepers, the last known good only
	Registry *knob.Registry    // with all knobs declared and the configuration's values set

	ID      string            // of this node in the fleet
	Epoch   string            // of this start of the process
	Address string            // where operators reach the node
	Version string            // of the build
	Labels  map[string]string // what groups of knobs go by
	Dir     string            // holds the last known good; "" keeps none
	Log     *slog.Logger      // nil: silent

	// Figures are what guards may ask for, by name; nil for none. Times are
	// in seconds, shares in percent. It is called often, from several
	// goroutines, and must be quick; it may call State.
	Figures func() map[string]float64
	// Status is how the node feels, in one word, and its load, at most 32
	// figures, for lists of nodes; nil for "serving".
	Status func() (health string, load map[string]float64)

	GuardEvery     time.Duration // between looks at guards and at what was set locally; 0 = 250 ms
	Probation      time.Duration // a process that dies sooner after a change comes back without it; 0 = 10 s
	CanaryPatience time.Duration // a canary's value lasts so long without keepers; 0 = 30 s

	// OnStart is called once when Run begins, with the last known good in
	// force and before any keeper is asked; OnStop once when Run ends.
	// OnChange is called after each transaction that changed a value, sorted
	// by name. None may block; all may call State and the registry.
	OnStart  func()
	OnStop   func()
	OnChange func([]knob.Change)
}

// Defaults of Config.
const (
	guardEvery     = 250 * time.Millisecond
	probation      = 10 * time.Second
	canaryPatience = 30 * time.Second
)

func (c *Config) complete() error {
	if c.ID == "" || c.Registry == nil {
		return errors.New("an agent needs the ID of its node and a registry of knobs")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for d, def := range map[*time.Duration]time.Duration{
		&c.GuardEvery: guardEvery, &c.Probation: probation, &c.CanaryPatience: canaryPatience,
	} {
		if *d <= 0 {
			*d = def
		}
	}
	return nil
}

// session is what the agent asks of keeperapi.Session.
type session interface {
	Run(context.Context) error
	Say(keeperapi.NodeFrame)
	State() (leader string, connected bool, since time.Time)
}

// Agent obeys keepers. Make it with New and run it once.
type Agent struct {
	cfg      Config
	disk     *disk   // nil: keeps nothing
	session  session // nil without keepers
	own      own     // the node without keepers
	started  time.Time
	lastGood string
	wake     chan struct{} // a deadline may have come closer

	view atomic.Pointer[State]

	mu      sync.Mutex // held for whole operations, so that callbacks are in order
	book    book
	proven  book              // what is on disk as the generation before
	proved  bool              // the book has values that proven lacks
	put     map[string]target // what the agent has put into the registry, by name
	seen    map[string]string // the values in the registry at revision looked
	looked  uint64
	unsaved bool              // the book differs from the disk
	saveAt  time.Time         // not before, after the disk has failed
	retryAt time.Time         // when to take again what the disk did not let; zero = nothing
	stuck   map[string]string // what the registry did not take of what follows by itself
	drifted []keeperapi.Drift // as last said
	changes []knob.Change     // of this operation
}

// New reads the last known good from disk and puts it in force, before any
// keeper is asked. An error is one of the Config: damaged files are logged and
// do without.
func New(cfg Config) (*Agent, error) {
	var open func(keeperapi.Handler) session
	if c := cfg.Client; c != nil {
		open = func(h keeperapi.Handler) session { return c.NewSession(h, cfg.Log) }
	}
	return build(cfg, open)
}

// build is New with any session.
func build(cfg Config, open func(keeperapi.Handler) session) (*Agent, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	now := time.Now()
	a := &Agent{cfg: cfg, own: ownOf(cfg.Registry), started: now, wake: make(chan struct{}, 1),
		put: map[string]target{}, stuck: map[string]string{}}
	a.book, a.proven = book{}.clone(), book{}.clone()
	if open != nil {
		a.session = open(handler{a})
	}
	if cfg.Dir != "" {
		var err error
		if a.disk, err = openDisk(cfg.Dir); err != nil {
			return nil, fmt.Errorf("last known good: %w", err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recall(now)
	a.own.begin(cfg.Registry)
	a.finish(now)
	return a, nil
}

// Run keeps a session with the keepers, and everything that was agreed, until
// ctx is done; then it says goodbye, and the values that are in force count as
// good. It is called once. An error means that there can be no session; the
// values stay in force.
func (a *Agent) Run(ctx context.Context) error {
	call(a.cfg.OnStart)
	defer call(a.cfg.OnStop)
	defer a.stop()
	if a.session == nil {
		a.keep(ctx)
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	watch.Go(func() { a.keep(ctx) }) // ends with ctx
	err := a.session.Run(ctx)
	cancel()
	watch.Wait()
	return err
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// keep looks at guards, deadlines and the node's own changes until ctx ends.
func (a *Agent) keep(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(a.tick(time.Now()))
		case <-a.wake:
			timer.Reset(a.tick(time.Now()))
		}
	}
}

// tick does what is due and returns when to look again.
func (a *Agent) tick(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.look()
	if a.book.advance(now) {
		a.unsaved = true
	}
	a.watchGuards(now)
	a.watchSilence(now)
	a.settle(now)
	a.proveBook(now)
	a.retry(now)
	if a.unsaved && !now.Before(a.saveAt) {
		_ = a.save(now) // was logged, and is tried again
	}
	a.finish(now)
	again := a.cfg.GuardEvery
	if next := a.book.next(now); !next.IsZero() {
		again = min(again, next.Sub(now))
	}
	return again
}

// finish ends an operation: it tells keepers, pages and the program.
func (a *Agent) finish(now time.Time) {
	a.forget()
	a.tell(now)
	a.publish()
	if changes := a.changes; len(changes) > 0 {
		a.changes = nil
		if a.cfg.OnChange != nil {
			a.cfg.OnChange(changes)
		}
	}
}

// stop leaves the book on disk as good: the process ends in good order.
func (a *Agent) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.book.prove(now) || a.unsaved {
		_ = a.save(now) // was logged
	}
	a.publish()
}
