package tune

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/knob"
)

// fake is a collector that writes down what it is told, and a node.
type fake struct {
	*Tuner
	t       *testing.T
	r       *knob.Registry
	told    []string // written by the tuner's goroutine, read while it waits
	backlog atomic.Int64
	heap    atomic.Int64
	level   slog.LevelVar
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, r: knob.NewRegistry()}
	f.Tuner = New(Config{Knobs: NewKnobs(f.r), Registry: f.r, Backlog: f.backlog.Load})
	f.TurnLevel(&f.level)
	f.gc = collector{
		setPercent: func(n int) int { f.told = append(f.told, fmt.Sprint("percent ", n)); return 0 },
		setLimit:   func(n int64) int64 { f.told = append(f.told, fmt.Sprint("limit ", n)); return 0 },
		heap:       f.heap.Load,
	}
	return f
}

// story runs a tuner on virtual time. expect says what the collector has been
// told since the last call, once the tuner has had a look.
func story(t *testing.T, tell func(f *fake, expect func(what string, want ...string))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.Close()
		tell(f, func(what string, want ...string) {
			t.Helper()
			time.Sleep(2 * lookEvery)
			synctest.Wait()
			if !slices.Equal(f.told, want) {
				t.Errorf("%s: told %q, want %q", what, f.told, want)
			}
			f.told = nil
		})
	})
}

func (f *fake) set(settings ...string) {
	f.t.Helper()
	m := map[string]string{}
	for i := 0; i+1 < len(settings); i += 2 {
		m[settings[i]] = settings[i+1]
	}
	if _, err := f.r.SetMany(m, "test", ""); err != nil {
		f.t.Fatal(err)
	}
}

func TestTheCollectorObeys(t *testing.T) {
	story(t, func(f *fake, expect func(string, ...string)) {
		none := fmt.Sprint("limit ", math.MaxInt64)
		f.Start()
		expect("at the start", "percent 200", none)
		f.set("gc.percent", "400%")
		expect("turned", "percent 400")
		f.set("gc.memory_limit", "1GiB")
		expect("with a limit", fmt.Sprint("limit ", 1<<30))
		f.set("gc.memory_limit", "0")
		expect("without", none)
		f.set("log.level", "debug")
		expect("the log's level")
		if f.level.Level() != slog.LevelDebug {
			t.Errorf("level %s", f.level.Level())
		}
	})
}

func TestTheCollectorIsHeldBack(t *testing.T) {
	story(t, func(f *fake, expect func(string, ...string)) {
		f.Start()
		f.told = nil
		f.set("gc.memory_limit", "1GiB", "gc.hold_while_backlog", "1000")
		expect("nothing waits", fmt.Sprint("limit ", 1<<30))
		f.backlog.Store(1001)
		expect("much waits", "percent -1")
		if !f.Held() {
			t.Error("not held")
		}
		f.set("gc.percent", "300")
		expect("turned meanwhile")
		f.backlog.Store(600)
		expect("not yet half gone")
		f.backlog.Store(400)
		expect("half gone", "percent 300")
		f.backlog.Store(2000)
		expect("much again", "percent -1")
		f.heap.Store(970 << 20)
		expect("heap near the limit", "percent 300")
		f.heap.Store(800 << 20)
		expect("collected too little")
		f.heap.Store(100 << 20)
		expect("collected", "percent -1")
		f.set("gc.memory_limit", "0", "gc.hold_while_backlog", "0") // off without limit must never be
		expect("turned off", "percent 300", fmt.Sprint("limit ", math.MaxInt64))
		f.set("gc.memory_limit", "2GiB", "gc.hold_while_backlog", "1000")
		expect("turned on", fmt.Sprint("limit ", 2<<30), "percent -1")
		f.Close()
		expect("closed", "percent 300")
		f.set("gc.percent", "500")
		expect("closed long since")
	})
}

// While nothing is to be held back, nobody looks.
func TestOffLooksAtNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		looks := 0
		f.c.Backlog = func() int64 { looks++; return 0 }
		f.Start()
		defer f.Close()
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks != 0 {
			t.Errorf("looked %d times", looks)
		}
	})
}

func TestRules(t *testing.T) {
	f := func(want string, settings ...string) {
		t.Helper()
		r := knob.NewRegistry()
		NewKnobs(r)
		m := map[string]string{}
		for i := 0; i+1 < len(settings); i += 2 {
			m[settings[i]] = settings[i+1]
		}
		if _, err := r.SetMany(m, "test", ""); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v: %v, want %s", settings, err, want)
		}
	}
	f("set both", "gc.hold_while_backlog", "1000")
	f("nil", "gc.hold_while_backlog", "1000", "gc.memory_limit", "1GiB")
	f("at least 16MiB", "gc.memory_limit", "1MiB")
	f("nil", "gc.memory_limit", "16MiB")
	f("100000%", "gc.percent", "0")
}

func TestStartValues(t *testing.T) {
	f := func(gogc, gomemlimit, level, want string) {
		t.Helper()
		r := knob.NewRegistry()
		k := NewKnobs(r)
		err := SetStart(r, func(name string) string {
			return map[string]string{"GOGC": gogc, "GOMEMLIMIT": gomemlimit}[name]
		}, level)
		got := fmt.Sprintf("%d %d %s %v", k.Percent.Get(), k.Limit.Get(), levels()[k.LogLevel.Get()], err)
		if !strings.Contains(got, want) {
			t.Errorf("GOGC=%s GOMEMLIMIT=%s, level %s: %s, want %s", gogc, gomemlimit, level, got, want)
		}
	}
	f("", "", "", "200 0 info <nil>")
	f("400", "1GiB", "warn", fmt.Sprint("400 ", 1<<30, " warn <nil>"))
	f("off", "off", "debug", "100000 0 debug <nil>")
	f("much", "", "error", "200 0 error <nil>") // the runtime takes no notice either
	f("0", "", "info", "env GOGC")
	f("", "1MiB", "info", "env GOMEMLIMIT")
	f("", "lots", "info", "env GOMEMLIMIT")
	f("", "", "loud", "config")
}
