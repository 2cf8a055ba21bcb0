package node

import (
	"context"
	"fmt"
	"os"
	"strings"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
	"pushfleet/keeper/member"
	"pushfleet/keeper/store"
	"pushfleet/pushd/follow"
)

// memberID names the member inside. It is not the node's name, which may
// change while the member's state stays.
const memberID = "pushd"

// following is what changes knobs from outside; empty with --keeper off.
type following struct {
	follower *follow.Follower
	inside   *inside // nil with keepers of their own
	leave    context.CancelFunc
	left     chan struct{}
}

// buildKeeper prepares to follow keepers. What the node last held is in force
// when it returns, before anything else reads a knob.
func (n *Node) buildKeeper() error {
	k := &n.cfg.Keeper
	if k.Off() {
		return nil
	}
	addresses, mode := k.Addresses, pushdapi.FollowKeepers
	if k.Embedded() {
		addresses, mode = []string{n.cfg.KeeperSocket()}, pushdapi.FollowEmbedded
		n.keeper.inside = newInside(n.openMember, n.log)
	}
	o, err := n.cfg.KeeperClient(os.ReadFile)
	if err != nil {
		return err
	}
	o.UserAgent = "pushd/" + Version
	n.keeper.follower, err = follow.New(follow.Config{
		Client: keeperapi.NewClient(addresses, o), Mode: mode, Registry: n.knobs.registry, Dir: n.cfg.StateDir, Log: n.log,
		ID: n.cfg.NodeName, Epoch: n.epoch, Address: knownAddress(n.cfg.Private), Version: Version, Labels: k.LabelMap(),
		Stats:  func(ctx context.Context) pushdapi.Stats { return n.stats(ctx, false) },
		Health: func() string { return stateNames[n.state.Load()] },
	})
	if err != nil {
		return fmt.Errorf("%w; choose a place that pushd may write to with --state-dir, or follow nobody with --keeper off", err)
	}
	return nil
}

// knownAddress is nothing where the kernel is yet to choose the port.
func knownAddress(addr string) string {
	if strings.HasSuffix(addr, ":0") {
		return ""
	}
	return addr
}

// keepers says in the log whom the node follows.
func (n *Node) keepers() string {
	k := &n.cfg.Keeper
	if k.Embedded() {
		return strings.TrimSpace("inside " + n.keeper.inside.addr())
	}
	return strings.Join(k.Addresses, ",")
}

func (n *Node) openMember() (keeperMember, error) {
	m, err := member.Open(member.Config{
		Store: store.Config{ID: memberID, Dir: n.cfg.KeeperDir(), Listen: n.cfg.Keeper.Raft, Expect: 1, Embedded: true},
		API:   []string{n.cfg.Keeper.API}, Socket: n.cfg.KeeperSocket(), Version: Version, Embedded: true, Log: n.log,
	})
	if err != nil { // not m, which would be a nil inside an interface
		return nil, err
	}
	return m, nil
}

// startKeeper opens the member inside.
func (n *Node) startKeeper() error {
	if n.keeper.inside == nil {
		return nil
	}
	return n.keeper.inside.start()
}

// follow begins to obey keepers.
func (n *Node) follow() {
	if n.keeper.follower == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.keeper.leave, n.keeper.left = cancel, make(chan struct{})
	go func() { // ended by endKeeper
		defer close(n.keeper.left)
		n.keeper.follower.Run(ctx)
	}()
}

// endKeeper takes leave of the keepers, and closes the member inside.
func (n *Node) endKeeper(ctx context.Context) {
	if n.keeper.leave != nil {
		n.keeper.leave()
		<-n.keeper.left
	}
	if n.keeper.inside == nil {
		return
	}
	if err := n.keeper.inside.end(ctx); err != nil {
		n.log.Warn("the keeper inside did not close well", "err", err)
	}
}

// keeperMetrics is what /metrics shows of the keeper inside, nil without one.
func (n *Node) keeperMetrics() func(*prom.Page) {
	if n.keeper.inside == nil {
		return nil
	}
	return n.keeper.inside.metrics
}

// followed is what Stats says of the keepers.
func (n *Node) followed() pushdapi.Follow {
	if n.keeper.follower == nil {
		return pushdapi.Follow{Mode: pushdapi.FollowOff}
	}
	return n.keeper.follower.State()
}
