// Package member wires one keeper together: the replicated log, the state, the
// API, and what a leader does. A daemon runs one, and so does a gateway that
// was given no keepers.
package member

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/api"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/state"
	"pushfleet/keeper/steer"
	"pushfleet/keeper/store"
	"pushfleet/keeper/watch"
)

// Version is set by the linker.
var Version = "0.1.0-dev"

// Config is what a member needs; it does not change.
type Config struct {
	Store        store.Config     // Machine is set by the member
	API          []string         // TCP addresses to serve; may be empty
	APIAdvertise string           // what nodes are told; "" = the first API listener's address
	APITLS       *tls.Config      // nil = plain, on loopback only
	Socket       string           // unix socket; "" = none
	Version      string           // "" = Version
	Embedded     bool             // inside a gateway
	Log          *slog.Logger     // nil = discard
	Timing       nodes.Timing     // zero = nodes.DefaultTiming
	Wall         func() time.Time // the wall clock; nil = the system's
}

// Member is one running keeper.
type Member struct {
	cfg     Config
	log     *slog.Logger
	began   time.Time
	state   *state.State
	hub     *watch.Hub
	store   *store.Store
	desk    *nodes.Desk
	helm    *steer.Helm
	clock   *steer.Clock
	propose *hist.LE // seconds from proposing a command to its answer
	api     *api.Server
	addr    string // of the first API listener
	servers []*http.Server
	cancel  context.CancelFunc
	work    sync.WaitGroup // what a leader does
	serving sync.WaitGroup
}

// commandMax bounds a replicated command; a leader's report of many nodes is
// the largest.
const commandMax = state.CommandBytesMax

// Open starts a member and returns when its listeners are open; it finds the
// other members in the background. Stop ends it.
func Open(cfg Config) (*Member, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Version == "" {
		cfg.Version = Version
	}
	if cfg.Timing == (nodes.Timing{}) {
		cfg.Timing = nodes.DefaultTiming()
	}
	m := &Member{cfg: cfg, log: cfg.Log, began: time.Now(), state: state.New(), hub: &watch.Hub{}, clock: steer.NewClock(cfg.Wall),
		propose: hist.NewLE(hist.LatencyBounds()...)}
	doors, err := m.listen()
	if err != nil {
		return nil, err
	}
	cfg.Store.Machine, cfg.Store.CommandMax, cfg.Store.Log = m.hub.Machine(m.state), commandMax, cfg.Log
	if m.store, err = store.Open(cfg.Store); err != nil {
		for _, d := range doors {
			err = errors.Join(err, d.Close())
		}
		return nil, err
	}
	m.build()
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.serve(append(doors, door{m.store.Streams(), api.DoorLink}))
	m.work.Go(func() { m.lead(ctx) }) // ended by Stop
	return m, nil
}

func (m *Member) build() {
	id := m.cfg.Store.ID
	m.desk = nodes.New(nodes.Config{State: m.state, Hub: m.hub, Propose: m.Propose, Now: m.clock.Now, Member: id,
		Cluster: func() string { return m.store.Stats().Cluster }, Log: m.log, Timing: m.cfg.Timing,
		Broke: func(node string, b *keeperapi.Broke) { m.helm.Broke(node, b) }})
	m.helm = steer.New(steer.Config{State: m.state, Hub: m.hub, Desk: m.desk, Propose: m.Propose, Now: m.clock.Now,
		Log: m.log, Grace: m.cfg.Timing.Lease / 2})
	m.api = api.New(api.Config{Member: m, Advertise: m.APIAddr(), State: m.state, Hub: m.hub, Desk: m.desk,
		Now: m.clock.Now, Figures: m.figures, Log: m.log})
}

// APIAddr is where nodes reach this member's API.
func (m *Member) APIAddr() string {
	switch {
	case m.cfg.APIAdvertise != "":
		return m.cfg.APIAdvertise
	case m.addr != "":
		return m.addr
	}
	return m.cfg.Socket
}

// RaftAddr is where other members reach this one.
func (m *Member) RaftAddr() string { return m.store.Addr() }

// Ready waits until this member belongs to a cluster that has a leader.
func (m *Member) Ready(ctx context.Context) error { return m.store.Ready(ctx) }

// Stop hands the leadership over, sends nodes and watchers away and closes.
// ctx bounds the handing over.
func (m *Member) Stop(ctx context.Context) error {
	err := m.handOver(ctx)
	m.cancel()
	m.work.Wait()
	m.api.Close()
	err = errors.Join(err, m.store.Stop(ctx))
	for _, s := range m.servers {
		short, cancel := context.WithTimeout(ctx, time.Second)
		if s.Shutdown(short) != nil {
			s.Close()
		}
		cancel()
	}
	m.serving.Wait()
	return err
}

// handOver gives the leadership away before the API closes, so that nodes and
// changes that come meanwhile are sent to the next leader.
func (m *Member) handOver(ctx context.Context) error {
	if !m.Leads() || m.alone() {
		return nil
	}
	if err := m.store.Transfer(ctx, ""); err != nil {
		m.log.Warn("leadership not handed over before the stop", "err", err)
	}
	return nil
}

func (m *Member) alone() bool {
	for _, o := range m.store.Members() {
		if o.Voter && o.ID != m.cfg.Store.ID {
			return false
		}
	}
	return true
}

// lead does a leader's work whenever this member leads, until ctx ends.
func (m *Member) lead(ctx context.Context) {
	for ctx.Err() == nil {
		l, changed := m.store.Leadership()
		if !l.Self {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		m.leadTerm(ctx, l.Term)
	}
}

func (m *Member) leadTerm(ctx context.Context, term uint64) {
	reign, end := context.WithCancel(ctx)
	defer end()
	var work sync.WaitGroup
	work.Go(func() { // ends with the reign, or ends it
		for {
			l, changed := m.store.Leadership()
			if !l.Self || l.Term != term {
				end()
				return
			}
			select {
			case <-changed:
			case <-reign.Done():
				return
			}
		}
	})
	if err := m.store.Linearize(reign); err != nil {
		m.log.Debug("leadership not confirmed", "err", err)
		pause(reign, 20*time.Millisecond)
	} else {
		work.Go(func() { m.helm.Run(reign) })
		m.desk.Open(reign, func() string { return m.successor(ctx) })
	}
	end()
	work.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// successor is where nodes should go now, "" if nobody leads yet.
func (m *Member) successor(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return m.api.LeaderAPI(ctx)
}

// Leads tells whether this member leads.
func (m *Member) Leads() bool {
	l, _ := m.store.Leadership()
	return l.Self
}

// Propose commits a command, stamps its time, and returns the state's answer.
func (m *Member) Propose(ctx context.Context, c state.Command) (keeperapi.Result, error) {
	c.At = m.clock.Now()
	text, err := state.Encode(c)
	if err != nil {
		return keeperapi.Result{}, &keeperapi.Error{Code: keeperapi.CodeTooLong, Message: err.Error()}
	}
	begin := time.Now()
	_, answer, err := m.store.Apply(ctx, text)
	if err != nil {
		return keeperapi.Result{}, m.told(err)
	}
	m.propose.Observe(time.Since(begin).Seconds())
	var r keeperapi.Result
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("answer of the state: %w", err)
	}
	return r, nil
}

// Linearize returns once the state holds all that was acknowledged before.
func (m *Member) Linearize(ctx context.Context) error { return m.told(m.store.Linearize(ctx)) }

// told puts the store's errors in the form of the API.
func (m *Member) told(err error) error {
	if err == nil {
		return nil
	}
	e := &keeperapi.Error{Message: err.Error()}
	leader, elsewhere := errors.AsType[store.ErrNotLeader](err)
	switch {
	case elsewhere && leader.ID == "":
		e.Code, e.Message = keeperapi.CodeNoLeader, "no keeper leads at the moment, so nothing was changed; try again, or see pushctl keeper status"
	case elsewhere:
		e.Code = keeperapi.CodeNotLeader
	case errors.Is(err, store.ErrOutcomeUnknown):
		e.Code = keeperapi.CodeUnknownState
		e.Message += ": the change may have been made or may still be; look before trying again"
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrShutdown):
		e.Code = keeperapi.CodeBusy
	default:
		return err
	}
	return e
}

// DialLeader opens a stream to the leader's API.
func (m *Member) DialLeader(ctx context.Context) (net.Conn, error) { return m.store.DialLeader(ctx) }

// Remove takes a member out of the cluster. A leader that is asked to remove
// itself hands over first and then answers not_leader.
func (m *Member) Remove(ctx context.Context, id string) error { return m.told(m.store.Remove(ctx, id)) }

// Transfer hands the leadership over.
func (m *Member) Transfer(ctx context.Context, id string) error {
	return m.told(m.store.Transfer(ctx, id))
}

// Snapshot writes a snapshot now.
func (m *Member) Snapshot(ctx context.Context) error { return m.told(m.store.Snapshot(ctx)) }

// Status is this member as it sees itself.
func (m *Member) Status() keeperapi.Status {
	s := m.store.Stats()
	revision, values := m.state.Marks()
	out := keeperapi.Status{ID: s.ID, Cluster: s.Cluster, Version: m.cfg.Version, Role: string(s.Role), Embedded: m.cfg.Embedded,
		LeaderID: s.LeaderID, Term: s.Term, Revision: revision, ValuesRevision: values, LogIndex: s.LastIndex,
		Committed: s.Committed, SnapshotIndex: s.SnapshotIndex, LogKind: string(s.LogKind),
		UptimeMS: time.Since(m.began).Milliseconds(), Members: []keeperapi.Member{}}
	for _, o := range m.store.Members() {
		one := keeperapi.Member{ID: o.ID, Address: o.Address, Voter: o.Voter, Leader: o.Leader, Known: o.Health.Known,
			OK: o.Health.OK, Lag: o.Health.Lag, Reason: o.Health.Reason}
		if !o.Health.Since.IsZero() {
			one.SinceMS = keeperapi.TimeOf(o.Health.Since)
		}
		out.Members = append(out.Members, one)
	}
	return out
}

// BuildVersion returns the version with the commit that it was built from.
func BuildVersion() string {
	v := Version
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += " " + s.Value[:12]
			}
		}
	}
	return v
}
