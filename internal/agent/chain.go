package agent

import (
	"fmt"
	"time"

	"pushfleet/internal/guard"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// chain is what one knob holds as time passes: a value, and what follows by
// itself. It is not changed once it is made. Its times are on this node's
// monotonic clock.
type chain struct {
	held     *keeperapi.Held // nil: the node's own default
	revision uint64          // of held; where held is nil, of the update that took it away
	later    bool            // held is what followed the value of that revision
	ends     []time.Time     // ends[0] of held, ends[i] of held.Then[i-1]
	elseEnds []time.Time     // elseEnds[0] of held.Else, elseEnds[i] of held.ElseThen[i-1]
	guard    *guard.Expr     // of held; nil for none
	bad      string          // why held must not be taken, whatever the registry says
}

// clock says what the keeper's clock showed at a moment of ours.
type clock struct {
	keeper keeperapi.Time
	local  time.Time
}

// spanMax bounds what is left of a deadline, in ms: 200 years, so that a
// time.Duration holds it.
const spanMax = 200 * 365 * 24 * 3600 * 1000

func (c clock) when(t keeperapi.Time) time.Time {
	left := min(max(int64(t-c.keeper), -spanMax), spanMax)
	return c.local.Add(time.Duration(left) * time.Millisecond)
}

// chainOf reads what a keeper said. h is kept.
func chainOf(h *keeperapi.Held, revision uint64, at clock) chain {
	c := chain{held: h, revision: revision}
	if h == nil {
		return c
	}
	c.revision = h.Revision
	c.ends = at.ends(h.Deadline, h.Then)
	if h.Else != nil {
		c.elseEnds = at.ends(h.Else.Deadline, h.ElseThen)
	}
	c.readGuard()
	return c
}

// ends returns when each of a value and what follows it ends.
func (c clock) ends(first keeperapi.Time, then []keeperapi.Later) (out []time.Time) {
	for i, end := 0, first; end != 0; i++ {
		out = append(out, c.when(end))
		if i == len(then) {
			break
		}
		end = then[i].Deadline
	}
	return out
}

func (c *chain) readGuard() {
	if c.held == nil || c.held.Guard == "" {
		return
	}
	var err error
	if c.guard, err = guard.Parse(c.held.Guard); err != nil {
		c.bad = err.Error()
	}
}

// stand is where a chain stands at one moment.
type stand struct {
	text  string // of LayerDefault empty
	layer keeperapi.Layer
	scope keeperapi.Scope
	first bool // the value itself, not what follows it
}

// at returns what the chain says now.
func (c *chain) at(now time.Time) stand {
	step := 0
	for step < len(c.ends) && !now.Before(c.ends[step]) {
		step++
	}
	switch {
	case c.held == nil, step > len(c.held.Then):
		return stand{layer: keeperapi.LayerDefault, first: step == 0}
	case step == 0:
		return stand{c.held.Value, c.held.Layer, c.held.Scope, true}
	}
	l := c.held.Then[step-1]
	return stand{text: l.Value, layer: l.Layer, scope: l.Scope}
}

// next returns when the chain will say something else, zero for never.
func (c *chain) next(now time.Time) time.Time {
	for _, end := range c.ends {
		if now.Before(end) {
			return end
		}
	}
	return time.Time{}
}

// instead is what is held when the chain's value is given up.
func (c *chain) instead() chain {
	out := chain{revision: c.revision, later: true}
	if c.held == nil || c.held.Else == nil || c.held.Else.Layer == keeperapi.LayerDefault {
		return out
	}
	e := c.held.Else
	out.held = &keeperapi.Held{Value: e.Value, Layer: e.Layer, Scope: e.Scope, Revision: c.revision,
		Deadline: e.Deadline, Then: c.held.ElseThen}
	out.ends = c.elseEnds
	return out
}

// origin is what the registry is told of a value that is not the default.
func (c *chain) origin(s stand) knob.Origin {
	o := knob.Origin{Source: fmt.Sprintf("%s r%d", s.layer, c.revision)}
	if c.later || !s.first {
		o.Source = fmt.Sprintf("%s after r%d", s.layer, c.revision)
	}
	if s.scope != keeperapi.Fleet {
		o.Why = "set for " + string(s.scope)
	}
	return o
}

// canary tells whether the value itself is in force and a canary's.
func (c *chain) canary(now time.Time) bool {
	s := c.at(now)
	return s.first && s.layer == keeperapi.LayerCanary && !c.later
}
