package e2e

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// nemesis does evil to keepers, one thing at a time, and undoes it.
type nemesis struct {
	t     testing.TB
	k     *keepers
	rand  *rand.Rand
	done  map[string]int // how often each evil was done
	evils []evil
}

// evil is one thing: it is done, and undo makes it good.
type evil struct {
	name string
	do   func(n *nemesis) (undo func())
}

func newNemesis(t testing.TB, k *keepers, r *rand.Rand) *nemesis {
	return &nemesis{t: t, k: k, rand: r, done: map[string]int{}, evils: []evil{
		{"kill the leader", func(n *nemesis) func() { return n.killed(n.k.leader()) }},
		{"pause the leader", func(n *nemesis) func() { return n.paused(n.k.leader()) }},
		{"cut the leader off", (*nemesis).parted},
		{"pause a follower", func(n *nemesis) func() { return n.paused(n.follower()) }},
		{"lose what the leader sends", (*nemesis).muted},
		{"kill a follower", func(n *nemesis) func() { return n.killed(n.follower()) }},
		{"lose what is sent to the leader", (*nemesis).deafened},
		{"kill all", (*nemesis).killedAll},
		{"unplug the leader", (*nemesis).unplugged},
		{"hand the leadership over", (*nemesis).handedOver},
	}}
}

// run does every evil in turn, in a random order, until ctx ends; the last one
// is undone.
func (n *nemesis) run(ctx context.Context) {
	for ctx.Err() == nil {
		for _, i := range n.rand.Perm(len(n.evils)) {
			if ctx.Err() != nil {
				return
			}
			e := n.evils[i]
			undo := e.do(n)
			n.done[e.name]++
			hold(ctx, time.Duration(400+n.rand.IntN(1000))*time.Millisecond)
			undo()
			n.k.leader()
			hold(ctx, time.Duration(300+n.rand.IntN(400))*time.Millisecond)
		}
	}
}

// hold lets something last for a while.
func hold(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (n *nemesis) follower() int {
	return (n.k.leader() + 1 + n.rand.IntN(len(n.k.all)-1)) % len(n.k.all)
}

func (n *nemesis) killed(i int) func() {
	n.k.all[i].proc.kill()
	return func() { n.k.run(i) }
}

func (n *nemesis) killedAll() func() {
	for _, m := range n.k.all {
		m.proc.kill()
	}
	return func() {
		for i := range n.k.all {
			n.k.run(i)
		}
	}
}

func (n *nemesis) paused(i int) func() {
	p := n.k.all[i].proc
	p.pause()
	return p.resume
}

// parted cuts the leader off the other members; clients still reach it.
func (n *nemesis) parted() func() {
	return n.between(true, true)
}

func (n *nemesis) muted() func() { return n.between(true, false) }

func (n *nemesis) deafened() func() { return n.between(false, true) }

// between loses packets from the leader to the others, from them to it, or both.
func (n *nemesis) between(from, to bool) func() {
	lead := n.k.leader()
	return n.k.part(lead, from, to)
}

// part loses packets from a member to the others, from them to it, or both.
func (k *keepers) part(i int, from, to bool) (undo func()) {
	each := func(f func(a, b string)) {
		for j, m := range k.all {
			if j != i && from {
				f(k.all[i].id, m.id)
			}
			if j != i && to {
				f(m.id, k.all[i].id)
			}
		}
	}
	each(k.lan.cut)
	return func() { each(k.lan.join) }
}

func (n *nemesis) unplugged() func() {
	id := n.k.all[n.k.leader()].id
	n.k.lan.unplug(id)
	return func() { n.k.lan.plug(id) }
}

func (n *nemesis) handedOver() func() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.k.all[n.k.leader()].local.Transfer(ctx, ""); err != nil {
		n.t.Logf("handing over: %v", err) // the leadership may have moved meanwhile
	}
	return func() {}
}
