package daemon

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// diary records what parts do, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, s)
}

func (d *diary) read() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, " ")
}

// part starts and stops well and writes it down.
func (d *diary) part(name string) Part {
	return Part{
		Name:  name,
		Start: func(context.Context) error { d.note("+" + name); return nil },
		Stop:  func(context.Context) error { d.note("-" + name); return nil },
	}
}

// going is a Run in a bubble of virtual time.
type going struct {
	signals chan os.Signal
	err     chan error
}

func begin(o Options, parts ...Part) *going {
	g := &going{make(chan os.Signal, 4), make(chan error, 1)}
	o.Signals = g.signals
	go func() { g.err <- Run(context.Background(), o, parts...) }()
	synctest.Wait() // it has started all it can
	return g
}

func TestPartsStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := begin(Options{}, d.part("a"), Part{Name: "neither"}, d.part("b"), d.part("c"))
		if got := d.read(); got != "+a +b +c" {
			t.Errorf("started %s", got)
		}
		g.signals <- syscall.SIGTERM
		if err := <-g.err; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := d.read(); got != "+a +b +c -c -b -a" {
			t.Errorf("in all %s", got)
		}
	})
}

func TestFailedStartStopsWhatStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		full := errors.New("address in use")
		bad := Part{Name: "b", Start: func(context.Context) error { return full },
			Stop: func(context.Context) error { d.note("-b"); return nil }}
		g := begin(Options{}, d.part("a"), bad, d.part("c"))
		err := <-g.err
		if !errors.Is(err, full) || err.Error() != "start b: address in use" {
			t.Errorf("Run: %v", err)
		}
		if got := d.read(); got != "+a -a" {
			t.Errorf("in all %s", got)
		}
	})
}

func TestSignalDuringStartGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		slow := Part{Name: "slow", Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		g := begin(Options{}, d.part("a"), slow, d.part("c"))
		g.signals <- syscall.SIGINT
		if err := <-g.err; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := d.read(); got != "+a -a" {
			t.Errorf("in all %s", got)
		}
	})
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := Part{Name: "stuck", Stop: func(context.Context) error { <-release; return nil }}
		g := begin(Options{}, stuck)
		began := time.Now()
		g.signals <- syscall.SIGTERM
		synctest.Wait()
		g.signals <- syscall.SIGTERM // passed on by a wrapper: the same one
		synctest.Wait()
		time.Sleep(sameSignal)
		g.signals <- syscall.SIGHUP // is no second signal
		synctest.Wait()
		g.signals <- syscall.SIGTERM
		if err := <-g.err; !errors.Is(err, ErrForced) {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(began); d != sameSignal {
			t.Errorf("ended after %s", d)
		}
		close(release)
	})
}

func TestSecondSignalDuringStartEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		deaf := Part{Name: "deaf", Start: func(context.Context) error { <-release; return nil }}
		g := begin(Options{}, deaf)
		for range 2 {
			g.signals <- syscall.SIGINT
			synctest.Wait()
			time.Sleep(sameSignal)
		}
		if err := <-g.err; !errors.Is(err, ErrForced) {
			t.Errorf("Run: %v", err)
		}
		close(release)
	})
}

func TestStopHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		stuck := Part{Name: "stuck", Stop: func(context.Context) error { <-release; return nil }}
		obedient := Part{Name: "obedient", Stop: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		g := begin(Options{StopTimeout: 5 * time.Second}, d.part("a"), stuck, obedient)
		began := time.Now()
		g.signals <- syscall.SIGTERM
		err := <-g.err
		for _, part := range []string{"stop obedient: context deadline exceeded", "stop stuck: not done after 5s"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("Run: %v does not say %q", err, part)
			}
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("stopped after %s, want the deadline and one second of grace", took)
		}
		if got := d.read(); got != "+a -a" {
			t.Errorf("in all %s: a part after a stuck one is stopped too", got)
		}
		close(release)
	})
}

func TestHangupReloadsAndFailureEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		failed := make(chan error)
		died := errors.New("loop 3 died")
		reload := func() error { d.note("reload"); return errors.New("key file is gone") }
		g := begin(Options{Reload: reload, Failed: failed}, d.part("a"))
		g.signals <- syscall.SIGHUP
		synctest.Wait()
		failed <- died
		if err := <-g.err; !errors.Is(err, died) {
			t.Errorf("Run: %v", err)
		}
		if got := d.read(); got != "+a reload -a" {
			t.Errorf("in all %s", got)
		}
	})
}

func TestEndOfContextStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error, 1)
		go func() {
			cancelled <- Run(ctx, Options{Signals: make(chan os.Signal)}, d.part("a"))
		}()
		synctest.Wait()
		cancel()
		if err := <-cancelled; err != nil || d.read() != "+a -a" {
			t.Errorf("Run: %v, %s", err, d.read())
		}
	})
}

func TestRealSignals(t *testing.T) {
	started, err := make(chan struct{}), make(chan error, 1)
	go func() {
		err <- Run(context.Background(), Options{}, Part{Name: "a",
			Start: func(context.Context) error { close(started); return nil }})
	}()
	<-started
	if e := syscall.Kill(os.Getpid(), syscall.SIGTERM); e != nil {
		t.Fatal(e)
	}
	if e := <-err; e != nil {
		t.Errorf("Run: %v", e)
	}
}

func TestJoinedStopErrorsNameTheParts(t *testing.T) {
	bad := func(name string) Part {
		return Part{Name: name, Stop: func(context.Context) error { return errors.New("disk full") }}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Run(ctx, Options{Signals: make(chan os.Signal)}, bad("a"), bad("b"))
	if err == nil || !reflect.DeepEqual(strings.Split(err.Error(), "\n"), []string{"stop b: disk full", "stop a: disk full"}) {
		t.Errorf("Run: %v", err)
	}
}
