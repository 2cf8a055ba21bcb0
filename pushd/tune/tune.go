// Package tune turns what belongs to the process as a whole: the garbage
// collector and the level of the log. Room of ARCHITECTURE.md: imports
// internal/knob.
//
// Of the collector there is one per process. Two nodes in one process each set
// it when they start and when one of their knobs changes: the last one wins.
package tune

import (
	"log/slog"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/knob"
)

// Config is what a Tuner needs.
type Config struct {
	Knobs    Knobs
	Registry *knob.Registry // that declared them
	// Backlog is the number of messages waiting on the node; it is asked every
	// 50 ms while gc.hold_while_backlog is on.
	Backlog func() int64
}

// Tuner obeys the knobs from Start to Close.
type Tuner struct {
	c      Config
	gc     collector
	turned chan struct{}
	stop   chan struct{}
	once   sync.Once
	done   sync.WaitGroup

	level *slog.LevelVar // what log.level turns; nil turns nothing
	held  atomic.Bool

	// Owned by the goroutine.
	percent int   // as set last
	limit   int64 // likewise
}

// collector is the runtime's.
type collector struct {
	setPercent func(int) int
	setLimit   func(int64) int64
	heap       func() int64 // bytes of objects
}

// unset is no percentage and no limit that anybody could ask for.
const unset = math.MinInt32

// percentOff is what the runtime calls no collection but for the limit.
const percentOff = -1

// New makes a Tuner.
func New(c Config) *Tuner {
	return &Tuner{c: c, turned: make(chan struct{}, 1), stop: make(chan struct{}), percent: unset, limit: unset,
		gc: collector{debug.SetGCPercent, debug.SetMemoryLimit, heapBytes}}
}

// TurnLevel has log.level set v, now and when it changes. Call it before Start.
func (t *Tuner) TurnLevel(v *slog.LevelVar) {
	t.level = v
	v.Set(levelOf(t.c.Knobs.LogLevel.Get()))
}

// Start puts the knobs in force, and their changes until Close.
func (t *Tuner) Start() {
	t.apply()
	for _, name := range []string{t.c.Knobs.Percent.Name(), t.c.Knobs.Limit.Name(), t.c.Knobs.Hold.Name(), t.c.Knobs.LogLevel.Name()} {
		t.c.Registry.OnChange(name, func(knob.State) {
			select {
			case t.turned <- struct{}{}:
			default: // the goroutine has yet to look, and will see this change too
			}
		})
	}
	t.done.Go(t.run) // ended by Close
}

// Close ends obeying. A collector that is held back is let go.
func (t *Tuner) Close() {
	t.once.Do(func() { close(t.stop) })
	t.done.Wait()
	if t.held.Swap(false) {
		t.gc.setPercent(int(t.c.Knobs.Percent.Get()))
	}
}

// Held tells whether garbage collection is held back now.
func (t *Tuner) Held() bool { return t.held.Load() }

// run applies on a goroutine of its own: the runtime finishes a collection
// under way before it takes a setting, and who turns a knob should not wait.
func (t *Tuner) run() {
	for {
		var due <-chan time.Time
		if t.c.Knobs.Hold.Get() > 0 {
			due = time.After(lookEvery)
		}
		select {
		case <-t.stop:
			return
		case <-t.turned:
		case <-due:
		}
		t.apply()
	}
}

func (t *Tuner) apply() {
	k := &t.c.Knobs
	if t.level != nil {
		t.level.Set(levelOf(k.LogLevel.Get()))
	}
	limit, from := k.Limit.Get(), k.Hold.Get()
	held := from > 0 && hold(t.held.Load(), t.c.Backlog(), t.gc.heap(), from, limit)
	t.held.Store(held)
	percent := int(k.Percent.Get())
	if held {
		percent = percentOff
	}
	if limit == 0 {
		limit = math.MaxInt64
	}
	t.set(percent, limit)
}

// set never leaves the collector off without a limit, not for a moment.
func (t *Tuner) set(percent int, limit int64) {
	if percent != percentOff {
		t.setPercent(percent)
	}
	if limit != t.limit {
		t.gc.setLimit(limit)
		t.limit = limit
	}
	t.setPercent(percent)
}

func (t *Tuner) setPercent(percent int) {
	if percent != t.percent {
		t.gc.setPercent(percent)
		t.percent = percent
	}
}

func levelOf(i int) slog.Level {
	return [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[i]
}

func heapBytes() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
