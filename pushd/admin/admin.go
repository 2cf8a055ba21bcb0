// Package admin serves what an operator asks a node: the state of all and of
// one connection, knobs, traces, profiles and /metrics. It only serves; the
// node knows. Room of ARCHITECTURE.md: imports internal/push,
// internal/pushdapi, internal/knob, internal/hist, internal/prom, pushd/stats.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"

	"pushfleet/internal/hist"
	"pushfleet/internal/knob"
	"pushfleet/internal/prom"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/stats"
)

// ErrNotFound is what a Source returns for a connection that does not exist
// any more.
var ErrNotFound = errors.New("no such connection")

// Source is what a node tells. Its methods are called from many goroutines and
// obey their context. An error that is a *pushdapi.Error with a Status reaches
// the asker as it is.
type Source interface {
	// Stats returns the node at a glance. Totals never go back, except for
	// the part of a loop that is silent.
	Stats(ctx context.Context) (pushdapi.Stats, error)
	// Top returns the worst connections.
	Top(ctx context.Context, q stats.Query) (pushdapi.Top, error)
	// Conn explains one connection, its cause included, or returns ErrNotFound.
	Conn(ctx context.Context, h push.Handle) (pushdapi.Conn, error)
	// Kick closes one connection or returns ErrNotFound.
	Kick(ctx context.Context, h push.Handle, why push.CloseReason) error
	// Trace calls emit for what happens to a user until ctx is done or emit
	// returns an error. An event without a word in Event is not shown, it only
	// tests whether the asker is still there.
	Trace(ctx context.Context, user string, emit func(pushdapi.TraceEvent) error) error
}

// Config is what an API needs. Source and Knobs must be there; the rest may be
// missing, then what it feeds is empty.
type Config struct {
	Source  Source
	Knobs   *knob.Registry
	Closed  *stats.Closed
	Version pushdapi.Version
	// Ready returns why the node should get no new connections, nil if it
	// should. It is called often and must not wait.
	Ready func() error
	// Histograms returns copies that belong to the caller.
	Histograms func() []Histogram
	Log        *slog.Logger
	// Keeper writes the metrics of a keeper inside; nil for none.
	Keeper func(*prom.Page)
	// Recorder is the memory of the node; nil for none.
	Recorder Recorder
	// Tap mirrors the traffic; nil for none.
	Tap Tap
	// Watcher watches connections; nil for none.
	Watcher Watcher
	// Limits bound the work; the zero value is the defaults.
	Limits Knobs
}

// Histogram is one histogram of durations for /metrics.
type Histogram struct {
	Name   string // may carry labels of few values, as in pushd_loop_turn_seconds{loop="1"}
	Log    *hist.Log
	Bounds []float64 // of buckets in seconds, growing; nil is hist.LatencyBounds
}

// API answers an operator. Safe for concurrent use.
type API struct {
	c        Config
	requests *metrics.Set // pushd_admin_requests_total and nothing else
	work     limiter
	traces   limiter
	watches  limiter

	profiling sync.Mutex // held while a profile is timed
	waits     waits
	started   atomic.Int64 // unix ms, 0 until the first scrape
	floor     prom.Floor
}

// New makes an API over c. It panics without Source or Knobs.
func New(c Config) *API {
	if c.Source == nil || c.Knobs == nil {
		panic("admin: Source and Knobs are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	if c.Limits == (Knobs{}) {
		c.Limits = NewKnobs(knob.NewRegistry())
	}
	a := &API{c: c, requests: metrics.NewSet(),
		work: limiter{max: c.Limits.Concurrency}, traces: limiter{max: c.Limits.Traces}, watches: limiter{max: c.Limits.Watches}}
	for _, result := range results {
		a.requests.NewCounter(requestsName(result))
	}
	a.waits.obey(c.Knobs, &a.c.Limits)
	return a
}
