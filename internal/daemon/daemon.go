// Package daemon is the life of a process: ordered start and stop of its
// parts, signals, the word to systemd, and the log.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Part is one thing that starts after what stands before it and stops before
// that. Either function may be nil.
type Part struct {
	Name string
	// Start returns when the part serves; one that fails has cleaned up after
	// itself. ctx ends with the first signal, so that a slow start gives up.
	// It also ends when all parts have started: Stop ends a part, not ctx.
	Start func(ctx context.Context) error
	// Stop returns when the part is gone. ctx ends when time is up.
	Stop func(ctx context.Context) error
}

// Options are the surroundings of Run. The zero value is a plain process.
type Options struct {
	Log         *slog.Logger
	Notify      *Notifier                   // nil: no systemd
	StopTimeout time.Duration               // for all parts together; 0 = 30 s
	Reload      func() error                // on SIGHUP; nil = SIGHUP is ignored
	Probe       func(context.Context) error // asked before each WATCHDOG=1; nil = it is not fed
	Status      func() string               // the line of systemctl status, asked again every 10 s; nil = none
	Failed      <-chan error                // a part that died by itself ends the process
	Signals     <-chan os.Signal            // nil = SIGINT, SIGTERM and SIGHUP of the process
}

const (
	stopTimeout = 30 * time.Second
	stopGrace   = time.Second // for a Stop to return after its ctx ended
	statusEvery = 10 * time.Second
	// sameSignal is how long further signals count as the first one: a ctrl-C
	// goes to the whole process group, and a wrapper in it passes it on.
	sameSignal = 300 * time.Millisecond
)

// ErrForced is returned when a second signal, 0.3 s or more after the first,
// asked to end at once. Parts may
// still be running: the process should exit.
var ErrForced = errors.New("ended by a second signal, without waiting")

// Run starts the parts in order, says READY, waits for a signal, a failure or
// the end of ctx, and stops the parts in reverse order. When a start fails,
// those already started are stopped. The error is nil after an orderly end.
func Run(ctx context.Context, o Options, parts ...Part) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = stopTimeout
	}
	if o.Signals == nil {
		c := make(chan os.Signal, 4)
		signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(c)
		o.Signals = c
	}
	r := &process{Options: o}
	started, err := r.start(ctx, parts)
	if err == nil && !r.asked {
		err = r.serve(ctx)
	}
	if errors.Is(err, ErrForced) {
		return err
	}
	return errors.Join(err, r.stop(parts[:started]))
}

// process belongs to the goroutine of Run.
type process struct {
	Options
	asked   bool // a signal asked to stop
	askedAt time.Time
}

// again tells whether a signal is one more request to stop.
func (p *process) again(s os.Signal) bool {
	return p.asked && s != syscall.SIGHUP && time.Since(p.askedAt) >= sameSignal
}

func (p *process) ask() {
	if !p.asked {
		p.asked, p.askedAt = true, time.Now()
	}
}

// signalled handles one signal and tells whether it asks to stop.
func (p *process) signalled(s os.Signal) bool {
	if s != syscall.SIGHUP {
		p.Log.Info("stopping; a second signal ends at once", "signal", s.String())
		p.ask()
		return true
	}
	if p.Reload == nil {
		return false
	}
	p.Notify.Reloading()
	if err := p.Reload(); err != nil {
		p.Log.Error("reload refused, nothing changed", "err", err)
	} else {
		p.Log.Info("reloaded")
	}
	p.Notify.Ready()
	return false
}

// start returns how many parts were started.
func (p *process) start(ctx context.Context, parts []Part) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, part := range parts {
		if err := p.startOne(ctx, cancel, part); err != nil {
			if p.asked && !errors.Is(err, ErrForced) { // it gave up because we asked
				return i, nil
			}
			return i, fmt.Errorf("start %s: %w", part.Name, err)
		}
		p.Log.Debug("started", "part", part.Name)
		if p.asked {
			return i + 1, nil
		}
	}
	return len(parts), nil
}

func (p *process) startOne(ctx context.Context, cancel func(), part Part) error {
	if part.Start == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- part.Start(ctx) }() // ends with Start, which ctx bounds
	for {
		select {
		case err := <-done:
			return err
		case s := <-p.Signals:
			switch {
			case s == syscall.SIGHUP: // what starts reads its files anyway
			case p.again(s):
				return ErrForced
			case !p.asked:
				p.signalled(s)
				cancel()
			}
		}
	}
}

// serve waits for a reason to stop.
func (p *process) serve(ctx context.Context) error {
	p.Notify.Ready()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if every := p.Notify.WatchdogInterval(); every > 0 && p.Probe != nil {
		go p.watch(ctx, every) // ends with ctx
	}
	if p.Notify != nil && p.Status != nil {
		go p.tell(ctx) // ends with ctx
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-p.Failed:
			return err
		case s := <-p.Signals:
			if p.signalled(s) {
				return nil
			}
		}
	}
}

// watch feeds systemd's watchdog as long as the probe succeeds, twice per
// interval. A process that serves nobody is thus restarted, not only one that
// hangs.
func (p *process) watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		probing, cancel := context.WithTimeout(ctx, interval/2)
		err := p.Probe(probing)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.Log.Error("self-probe did not succeed, the watchdog is not fed", "err", err)
		} else {
			p.Notify.Watchdog()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell keeps the status line up to date.
func (p *process) tell(ctx context.Context) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	last := ""
	for {
		if line := p.Status(); line != last && ctx.Err() == nil {
			p.Notify.Status(line)
			last = line
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stop stops the parts in reverse order, each even when another did not.
func (p *process) stop(parts []Part) error {
	p.Notify.Stopping(p.StopTimeout + stopGrace)
	ctx, cancel := context.WithTimeout(context.Background(), p.StopTimeout)
	defer cancel()
	var errs []error
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].Stop == nil {
			continue
		}
		err := p.stopOne(ctx, parts[i].Stop)
		if errors.Is(err, ErrForced) {
			return err
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", parts[i].Name, err))
		}
		p.Log.Debug("stopped", "part", parts[i].Name)
	}
	return errors.Join(errs...)
}

func (p *process) stopOne(ctx context.Context, stop func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- stop(ctx) }() // abandoned when it overruns: the process ends
	late := make(chan struct{})
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, func() { close(late) }) })()
	for {
		select {
		case err := <-done:
			return err
		case <-late:
			return fmt.Errorf("not done after %s", p.StopTimeout)
		case s := <-p.Signals:
			if p.again(s) {
				return ErrForced
			}
			if s != syscall.SIGHUP {
				p.ask() // a first one, when the end came otherwise
			}
		}
	}
}
