package agent

import (
	"math"
	"time"

	"pushfleet/internal/keeperapi"
)

// handler is the agent as its session sees it.
type handler struct{ *Agent }

// Hello says who the node is and what it holds.
func (h handler) Hello(definition bool) keeperapi.Hello {
	a := h.Agent
	a.mu.Lock()
	defer a.mu.Unlock()
	c := &a.cfg
	hello := keeperapi.Hello{From: a.book.position, Cluster: a.book.cluster, Join: keeperapi.Join{ID: c.ID, Epoch: c.Epoch, Address: c.Address,
		Version: c.Version, Labels: c.Labels, Schema: a.own.hash, Knobs: a.book.ack}}
	if definition {
		hello.Definition = a.own.schema
	}
	if a.unconfirmed(time.Now()) {
		hello.From = 0
	}
	return hello
}

// Update takes over what the keepers say.
func (h handler) Update(u keeperapi.Update) keeperapi.Ack {
	now := time.Now()
	a := h.Agent
	a.mu.Lock()
	defer a.mu.Unlock()
	if !u.Full && (u.Revision < a.book.revision || u.Position < a.book.position) {
		a.cfg.Log.Warn("an update is older than what the node holds: not taken", "revision", u.Revision, "have", a.book.revision)
		return a.book.ack
	}
	if a.book.foreign(u) {
		a.cfg.Log.Warn("the keepers are others, or were recovered from an older state: theirs is taken",
			"revision", u.Revision, "have", a.book.revision, "cluster", u.Cluster)
		a.proven = book{}.clone() // the same number may be another value
	}
	a.look()
	for name, held := range u.Knobs {
		u.Knobs[name] = a.own.printed(name, held)
	}
	a.take(a.book.merge(u, now), now)
	if n := a.book.ack; n.Nacked > n.Applied {
		a.cfg.Log.Error("a revision was refused, the values before it stay", "revision", n.Nacked, "reason", n.Reason)
	}
	a.finish(now)
	select {
	case a.wake <- struct{}{}: // its deadlines may be the next
	default:
	}
	return a.book.ack
}

// Beat is a sign of life.
func (h handler) Beat() keeperapi.Beat {
	b := keeperapi.Beat{Health: "serving", Figures: h.figures()}
	if h.cfg.Status != nil {
		b.Health, b.Load = h.cfg.Status()
		b.Load = finite(b.Load)
	}
	return b
}

func (a *Agent) figures() map[string]float64 {
	if a.cfg.Figures == nil {
		return nil
	}
	return finite(a.cfg.Figures())
}

// finite leaves out what is no number, as a share of nothing: JSON has no word
// for it, and a guard takes it as unknown.
func finite(figures map[string]float64) map[string]float64 {
	out := make(map[string]float64, len(figures))
	for name, v := range figures {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[name] = v
		}
	}
	return out
}

// say tells the keepers something, if there are any.
func (a *Agent) say(f keeperapi.NodeFrame) {
	if a.session != nil {
		a.session.Say(f)
	}
}
