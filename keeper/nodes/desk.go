// Package nodes keeps the leader's sessions with the nodes: it takes them in,
// tells each what it must hold, asks them before a commit whether they would
// take it, hears how far they have come, and writes their signs of life into
// the replicated state, many in one command.
package nodes

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
	"pushfleet/keeper/watch"
)

// Config is what a Desk needs; it does not change.
type Config struct {
	State *state.State
	Hub   *watch.Hub
	// Propose commits a command; it stamps the time.
	Propose func(context.Context, state.Command) (keeperapi.Result, error)
	Now     func() keeperapi.Time
	Member  string
	Cluster func() string
	// Broke is told of guards that broke; it must not block.
	Broke  func(node string, b *keeperapi.Broke)
	Log    *slog.Logger
	Timing Timing
}

// Timing holds how often nodes and keepers hear of each other.
type Timing struct {
	Beat   time.Duration // a node's signs of life, and the keeper's
	Lease  time.Duration // a node is dead without a sign of life for so long; ≥ 3 beats
	Renew  time.Duration // a lease is written again when it is this old
	Gather time.Duration // signs of life go into one command for so long
	Check  time.Duration // a node's answer before a commit
	Write  time.Duration // a node that takes nothing for so long is hung up on
}

// DefaultTiming suits thousands of nodes on a LAN.
func DefaultTiming() Timing {
	return Timing{Beat: 2 * time.Second, Lease: 10 * time.Second, Renew: 3 * time.Second,
		Gather: 100 * time.Millisecond, Check: time.Second, Write: 5 * time.Second}
}

// SessionsMax bounds the sessions of one member.
const SessionsMax = 20_000

// Desk holds the sessions while its member leads. Its methods may be called
// from any goroutine.
type Desk struct {
	cfg    Config
	checks atomic.Uint64 // ids of checks
	// turns bounds how many sessions look at a commit at the same time. It wakes
	// thousands of goroutines; if all were ready to run at once, those that hold
	// the leadership would wait behind them.
	turns chan struct{}

	mu       sync.Mutex
	open     bool
	sessions map[string]*session // by node
	waiters  map[*waiter]struct{}

	news chan struct{} // 1: a session has something to report soon
}

// New returns a desk that is closed.
func New(cfg Config) *Desk {
	if cfg.Timing == (Timing{}) {
		cfg.Timing = DefaultTiming()
	}
	return &Desk{cfg: cfg, sessions: map[string]*session{}, waiters: map[*waiter]struct{}{},
		turns: make(chan struct{}, 2*runtime.GOMAXPROCS(0)), news: make(chan struct{}, 1)}
}

// Open lets nodes in and reports them until ctx ends; then it sends all away,
// to the leader's API address that away returns ("" if not known).
func (d *Desk) Open(ctx context.Context, away func() string) {
	d.mu.Lock()
	d.open = true
	d.mu.Unlock()
	d.report(ctx)
	d.mu.Lock()
	d.open = false
	all := slices.Collect(maps.Values(d.sessions))
	d.mu.Unlock()
	bye := &keeperapi.Bye{Reason: "this member does not lead any more", Leader: away(), WithinMS: spread(len(all))}
	for _, s := range all {
		s.end(bye)
	}
}

// spread is over how many milliseconds so many nodes come back.
func spread(nodes int) int64 { return min(int64(nodes)/10, 2000) }

// Len returns the number of sessions.
func (d *Desk) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// Seen is what a session knows of its node beside the replicated state.
type Seen struct {
	Applied uint64 // revision that it holds
	Nacked  uint64
	Reason  string
	Drift   []keeperapi.Drift
	Figures map[string]float64
}

// Seen returns all sessions by node. Slices and maps must not be changed.
func (d *Desk) Seen() map[string]Seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]Seen, len(d.sessions))
	for id, s := range d.sessions {
		out[id] = s.seen()
	}
	return out
}

// covered returns the sessions that f wants.
func (d *Desk) covered(f func(id string, labels map[string]string) bool) []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*session
	for id, s := range d.sessions {
		if f(id, s.join.Labels) {
			out = append(out, s)
		}
	}
	return out
}

// enter makes s the session of its node. A node that is still heard under the
// same name from another process keeps the name.
func (d *Desk) enter(s *session) *keeperapi.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.open {
		return &keeperapi.Error{Code: keeperapi.CodeNotLeader, Message: "this keeper does not lead; ask another"}
	}
	if len(d.sessions) >= SessionsMax {
		return &keeperapi.Error{Code: keeperapi.CodeTooMany, Message: "this keeper has all the sessions it can hold; split the fleet"}
	}
	old := d.sessions[s.join.ID]
	if old != nil && old.join.Epoch != s.join.Epoch && old.lively() {
		return &keeperapi.Error{Code: keeperapi.CodeExists, Node: s.join.ID, Message: "a node called " + s.join.ID + " is connected from " +
			old.from + "; give each node its own name (pushd --node-name)"}
	}
	d.sessions[s.join.ID] = s
	if old != nil {
		go old.end(&keeperapi.Bye{Reason: "the node has opened another session"}) // ends when it is told, or cannot be
	}
	return nil
}

// leave forgets a session, unless another has taken its place.
func (d *Desk) leave(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sessions[s.join.ID] == s {
		delete(d.sessions, s.join.ID)
	}
}
