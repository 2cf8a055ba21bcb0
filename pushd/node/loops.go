package node

import (
	"context"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/session"
)

// worker is one loop and the connections on it.
type worker struct {
	loop  *reactor.Loop
	table *session.Table
}

// startLoops makes all loops before it runs any: with descriptor tables of
// their own they must share what exists at that moment.
func (n *Node) startLoops() error {
	release, err := n.resolve()
	if err != nil {
		return err
	}
	defer release()
	connsMax := 0
	if n.cfg.UnshareFiles {
		connsMax = n.slots
	}
	for i := range n.loops {
		loop, err := reactor.New(reactor.Config{Index: i, Loops: n.loops, Listeners: n.listen, Clock: n.shared.Clock,
			Knobs: n.knobs.reactor, Unshare: n.cfg.UnshareFiles, ConnsMax: connsMax})
		if err != nil {
			return err
		}
		table, err := session.NewTable(n.shared, loop, n.slots)
		if err != nil {
			loop.Close()
			return err
		}
		n.workers = append(n.workers, &worker{loop, table})
	}
	for _, w := range n.workers {
		started := make(chan error, 1)
		n.running.Add(1)
		go func() { // ended by endLoops
			defer n.running.Done()
			w.loop.Run(n.plant(w.loop.Index, w.table), func(err error) { started <- err })
		}()
		if err := <-started; err != nil {
			return err
		}
	}
	return nil
}

// Count and Post are what publish needs of the loops.
func (n *Node) Count() int { return n.loops }

// Post leaves items with a loop; see reactor.Loop.Post.
func (n *Node) Post(loop int, items []reactor.Item) int { return n.workers[loop].loop.Post(items) }

// on runs f on the loop that owns a connection.
func (n *Node) on(ctx context.Context, h push.Handle, f func(*session.Table)) error {
	if h.Loop() >= len(n.workers) || h.Node() != n.shared.Node {
		return errNotFound
	}
	w := n.workers[h.Loop()]
	return w.loop.Do(ctx, func() { f(w.table) })
}

// drainLoops says goodbye everywhere and waits until nobody is left.
func (n *Node) drainLoops(ctx context.Context, window time.Duration) {
	for _, w := range n.workers {
		if err := w.loop.Do(ctx, func() { w.table.Drain(window) }); err != nil {
			n.log.Warn("loop does not drain", "loop", w.loop.Index, "err", err)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n.shared.Open.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// endLoops closes what is left and waits for the loops to end. Sockets that
// took nothing before now are cut off.
func (n *Node) endLoops() {
	for _, w := range n.workers {
		_ = w.loop.Do(context.Background(), func() { w.table.CloseAll(push.CloseDrain) })
		w.loop.Stop()
	}
	if n.state.Load() == stateNew {
		n.running.Wait()
	}
}
