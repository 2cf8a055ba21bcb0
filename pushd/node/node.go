// Package node wires one gateway node together. It is the only room that knows
// all others, and it holds no state of the process: several nodes live in one
// test process.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/decay"
	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/config"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/recorder"
	"pushfleet/pushd/router"
	"pushfleet/pushd/session"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/stats"
	"pushfleet/pushd/tap"
	"pushfleet/pushd/tune"
)

// Version is set by the linker.
var Version = "0.1.0-dev"

// Node is one gateway. Make it with New, then Start and Stop it once.
type Node struct {
	cfg      config.Config
	log      *slog.Logger
	knobs    knobs
	changed  changed
	started  time.Time
	state    atomic.Int32
	loops    int
	slots    int // connections a loop has room for
	listen   []*reactor.Listener
	claims   []net.Listener // of client addresses that nobody may share
	shared   *session.Shared
	workers  []*worker
	running  sync.WaitGroup
	private  private
	usage    usage
	shares   shares
	tap      *tap.Tap
	publish  publishing
	tuner    *tune.Tuner
	recorder *recorder.Recorder
	epoch    string // of this start
	keeper   following

	topMu sync.Mutex
	top   stats.Scanner

	spare          sync.Pool // *session.Snapshot, 40 KB each
	histMu         sync.Mutex
	latency, turns hist.Log // of all loops, since the start

	rateMu    sync.Mutex
	published decay.Rate
	counted   uint64

	planted planted // trouble, in builds for tests

	stop chan struct{} // closed when housekeeping is to end
}

// States of a node.
const (
	stateNew int32 = iota
	stateServing
	stateDraining
	stateStopped
)

var stateNames = [...]string{"starting", "serving", "draining", "stopped"}

// fdReserve is what a process needs beside client connections.
const fdReserve = 512

// New prepares a node; nothing is opened yet except memory. cfg must have been
// checked.
func New(cfg config.Config, log *slog.Logger) (*Node, error) {
	n := &Node{cfg: cfg, log: log, stop: make(chan struct{}), loops: cfg.Loops,
		epoch: strconv.FormatInt(time.Now().UnixMilli(), 36)}
	if n.loops <= 0 {
		n.loops = runtime.NumCPU()
	}
	if n.loops > push.LoopMax+1 {
		return nil, fmt.Errorf("loops = %d: at most %d are possible", n.loops, push.LoopMax+1)
	}
	fds, err := fdLimit()
	if err != nil {
		return nil, err
	}
	room := fds - min(fdReserve, fds/4)
	connsMax := room
	if cfg.UnshareFiles {
		connsMax = room * int64(n.loops)
	}
	n.slots = int(min(room, push.SlotMax-1))
	n.knobs = newKnobs(min(connsMax, 1<<24))
	if err := tune.SetStart(n.knobs.registry, os.Getenv, cfg.LogLevel); err != nil {
		return nil, err
	}
	if _, err := n.knobs.registry.SetMany(cfg.Knobs, "config", ""); err != nil {
		return nil, err
	}
	if err := n.buildKeeper(); err != nil {
		return nil, err
	}
	n.changed.take(n.knobs.registry)
	return n, n.build()
}

func fdLimit() (int64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("descriptor limit: %w", err)
	}
	return int64(min(r.Cur, 1<<24)), nil
}

func (n *Node) build() error {
	clock := reactor.NewClock()
	msgs, err := slab.NewMessages(messageSpace, n.knobs.messages.Get)
	if err != nil {
		return err
	}
	rt, err := router.New(router.Config{Loops: n.loops, Messages: msgs, Knobs: n.knobs.router,
		UsersMax: 8 << 20, Clock: func() uint32 { return reactor.MS(clock.Now()) }})
	if err != nil {
		return err
	}
	verifier, err := n.cfg.Verifier(os.ReadFile)
	if err != nil {
		return err
	}
	n.shared = &session.Shared{
		Epoch:        n.epoch,
		Clock:        clock,
		Router:       rt,
		Messages:     msgs,
		Receipts:     receipt.NewTable(receipt.OpenMax),
		Closed:       stats.NewClosed(int(n.knobs.closed.Get())),
		Tracer:       session.NewTracer(),
		Verifier:     verifier,
		ProxyTrusted: n.cfg.ProxyTrusted,
		AllowOrigins: n.cfg.CORSOrigins,
		Shadow:       n.cfg.Shadow,
		Knobs:        n.knobs.session,
		QueueKnobs:   n.knobs.queue,
		RouterKnobs:  n.knobs.router,
	}
	n.tap = n.newTap()
	n.shared.Tap = n.tap
	for _, a := range config.AddrPorts(n.cfg.Listen) {
		n.listen = append(n.listen, &reactor.Listener{Addr: a})
	}
	for _, a := range config.AddrPorts(n.cfg.ListenProxy) {
		n.listen = append(n.listen, &reactor.Listener{Addr: a, Proxy: true})
	}
	n.buildPublish()
	n.buildTuner()
	n.buildRecorder()
	return nil
}

// Start opens all listeners and returns when the node serves.
func (n *Node) Start(ctx context.Context) error {
	n.started = time.Now()
	if err := n.startLoops(); err != nil {
		n.abort()
		return err
	}
	if err := n.startPrivate(); err != nil {
		n.abort()
		return err
	}
	if err := n.startKeeper(); err != nil {
		n.abort()
		return err
	}
	n.tuner.Start()
	n.recorder.Start()
	n.state.Store(stateServing)
	n.running.Add(1)
	go n.housekeep() // ended by Stop
	n.follow()
	n.log.Info("serving", "node", n.cfg.NodeName, "clients", n.ClientAddrs(), "private", n.PrivateAddr(),
		"admin", n.cfg.AdminSocket, "loops", n.loops, "conns_max", n.knobs.session.ConnsMax.Get(), "auth", n.cfg.Auth,
		"keeper", n.keepers(), "shadow", n.cfg.Shadow)
	return nil
}

// abort undoes a start that failed half way.
func (n *Node) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n.endKeeper(ctx)
	n.closePrivate(ctx)
	n.endLoops()
	n.close()
}

// ClientAddrs are the addresses clients connect to, with real port numbers.
func (n *Node) ClientAddrs() []string {
	var out []string
	for _, l := range n.listen {
		out = append(out, l.Addr.String())
	}
	return out
}

// PrivateAddr is the address of the server API, with its real port number.
func (n *Node) PrivateAddr() string { return n.private.addr }

// AdminSocket is the path of the admin socket.
func (n *Node) AdminSocket() string { return n.cfg.AdminSocket }

// KeeperSocket is the path of the socket of the keeper inside.
func (n *Node) KeeperSocket() string { return n.cfg.KeeperSocket() }

// Ready tells whether the node takes clients; the error says why not.
func (n *Node) Ready() error {
	if s := n.state.Load(); s != stateServing {
		return errors.New("node is " + stateNames[s])
	}
	return nil
}

// housekeep does what nobody waits for.
func (n *Node) housekeep() {
	defer n.running.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-tick.C:
			now := n.shared.Clock.Now()
			n.shared.Router.Expire(reactor.MS(now))
			n.countPublished(reactor.MS(now))
			n.usage.sample()
			n.shares.forget()
			n.trim()
		}
	}
}

// trim returns the heap of a past burst of connects to the machine, once.
func (n *Node) trim() {
	if !n.tuner.Held() && n.usage.burstOver() {
		debug.FreeOSMemory()
	}
}

// Stop says goodbye to all clients, spread over drain.window, and returns when
// they are gone or ctx is done, whichever is first.
func (n *Node) Stop(ctx context.Context) error {
	if !n.state.CompareAndSwap(stateServing, stateDraining) {
		return nil
	}
	begin := time.Now()
	conns := n.shared.Open.Load()
	window := n.knobs.drain.Get()
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline)*6/10)
	}
	n.log.Info("draining", "connections", conns, "window", window.Round(time.Millisecond).String())
	n.drainLoops(ctx, window)
	n.tuner.Close()
	n.recorder.Close()
	left := n.shared.Open.Load()
	n.endLoops()
	n.tap.Stop(tap.EndDrain) // after the goodbyes, which it mirrors
	n.endKeeper(ctx)
	n.closePrivate(ctx)
	close(n.stop)
	n.running.Wait()
	n.state.Store(stateStopped)
	n.log.Info("stopped", "connections", conns, "cut_off", left, "took", time.Since(begin).Round(time.Millisecond).String())
	return n.close()
}

func (n *Node) close() error {
	var errs []error
	for _, w := range n.workers {
		errs = append(errs, w.table.Close(), w.loop.Close())
	}
	n.workers = nil
	n.unclaim()
	return errors.Join(append(errs, n.shared.Router.Close(), n.shared.Messages.Close())...)
}

func (n *Node) version() pushdapi.Version {
	here := pushdapi.Here()
	v := pushdapi.Version{Version: Version, Go: runtime.Version(), Node: n.cfg.NodeName, Place: &here}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	return v
}
