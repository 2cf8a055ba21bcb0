package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"pushfleet/internal/guard"
	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/state"
)

// change is one request to change something, on its way.
type change struct {
	state.Command
	ask  keeperapi.Ask
	want []keeperapi.Assign // of transactions and rollouts
	all  bool               // break-glass: no node is asked
}

func newChange(r *http.Request, who identity, op state.Op, ask keeperapi.Ask, b any) *change {
	return &change{Command: state.Command{Op: op, ID: r.Header.Get("Idempotency-Key"), Who: who.Who, From: who.From,
		Why: ask.Why, Body: b}, ask: ask}
}

func (s *Server) txn(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[keeperapi.TxnRequest](r)
	if err != nil {
		return nil, err
	}
	if b.Changes, err = s.canonical(b.Changes); err != nil {
		return nil, err
	}
	if b.NowAll && !who.Role.Allows(keeperapi.RoleAdmin) {
		return nil, refuse(keeperapi.CodeRole, "%s may %s, breaking the glass (--now --all) takes admin", who.Who, who.Role)
	}
	c := newChange(r, who, state.OpTxn, b.Ask, b.Txn)
	c.want, c.all = b.Changes, b.NowAll
	return s.commit(ctx, c, b.Guard)
}

func (s *Server) rollback(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[struct {
		keeperapi.RollbackRequest
		To *uint64 `json:"to"` // hides the other, of which 0 is not told from none
	}](r)
	if err != nil {
		return nil, err
	}
	if b.To == nil {
		return nil, refuse(keeperapi.CodeMalformed, "back to which revision? give to; 0 takes back every change there ever was")
	}
	b.Rollback.To = *b.To
	if b.NowAll && !who.Role.Allows(keeperapi.RoleAdmin) {
		return nil, refuse(keeperapi.CodeRole, "%s may %s, breaking the glass (--now --all) takes admin", who.Who, who.Role)
	}
	c := newChange(r, who, state.OpRollback, b.Ask, b.Rollback)
	c.all = b.NowAll
	return s.commit(ctx, c, "")
}

func (s *Server) freeze(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[keeperapi.FreezeRequest](r)
	if err != nil {
		return nil, err
	}
	if !b.Off && b.Knob != keeperapi.AllKnobs {
		if _, err := s.declaration(b.Knob); err != nil {
			return nil, err
		}
	}
	c := newChange(r, who, state.OpFreeze, b.Ask, b.FreezeSet)
	c.all = true // no value changes
	return s.commit(ctx, c, "")
}

func (s *Server) startRollout(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[keeperapi.RolloutRequest](r)
	if err != nil {
		return nil, err
	}
	if b.Changes, err = s.canonical(b.Changes); err != nil {
		return nil, err
	}
	c := newChange(r, who, state.OpRolloutStart, b.Ask, b.RolloutStart)
	c.want = b.Changes
	return s.commit(ctx, c, b.Guard)
}

func (s *Server) advanceRollout(ctx context.Context, r *http.Request, who identity) (any, error) {
	return s.moveRollout(ctx, r, who, state.OpRolloutAdvance)
}

func (s *Server) abortRollout(ctx context.Context, r *http.Request, who identity) (any, error) {
	return s.moveRollout(ctx, r, who, state.OpRolloutAbort)
}

func (s *Server) moveRollout(ctx context.Context, r *http.Request, who identity, op state.Op) (any, error) {
	b, err := body[keeperapi.RolloutMoveRequest](r)
	if err != nil {
		return nil, err
	}
	m := keeperapi.RolloutMove{Rollout: r.PathValue("id"), Force: b.Force}
	if have, ok := s.cfg.State.Rollout(m.Rollout); ok && op == state.OpRolloutAdvance {
		m.Step = have.Step + 1
	}
	c := newChange(r, who, op, b.Ask, m)
	c.all = true // the nodes were asked when the rollout began
	return s.commit(ctx, c, "")
}

// commit takes a change from its check to the nodes having applied it.
func (s *Server) commit(ctx context.Context, c *change, guarded string) (*keeperapi.Answer, error) {
	began := time.Now()
	if c.ask.WaitMS < 0 || c.ask.WaitMS > keeperapi.WaitMaxMS {
		return nil, refuse(keeperapi.CodeMalformed, "an answer cannot wait %d ms for nodes: give 0 to %d", c.ask.WaitMS, keeperapi.WaitMaxMS)
	}
	if guarded != "" {
		if _, err := guard.Parse(guarded); err != nil {
			return nil, refuse(keeperapi.CodeGuard, "%s", err)
		}
	}
	out := &keeperapi.Answer{DryRun: c.ask.DryRun}
	// A change that was made before only asks for its answer again.
	again := c.ID != "" && s.cfg.State.Answered(c.ID)
	if !again {
		err := s.foresee(ctx, c, guarded, out)
		// An earlier attempt may have been carried out meanwhile: what speaks
		// against this one is then perhaps only what that one did.
		made := c.ID != "" && s.cfg.State.Answered(c.ID)
		if c.ask.DryRun || err != nil && !made {
			return out, err
		}
	}
	r, err := s.cfg.Member.Propose(ctx, c.Command)
	if err != nil {
		return nil, err
	}
	if r.Error != nil {
		return nil, r.Error
	}
	out.Result = r
	events := s.eventsOf(c, &r)
	out.Changes = s.deltas(events)
	if c.ask.WaitMS > 0 && concerns(events, nil) {
		wait, cancel := context.WithTimeout(ctx, time.Duration(c.ask.WaitMS)*time.Millisecond)
		defer cancel()
		touched := func(id string, labels map[string]string) bool {
			return concerns(events, func(e *keeperapi.Event) bool { return e.Touches(id, labels) })
		}
		out.Applied = s.cfg.Desk.Await(wait, r.Revision, began, touched)
		out.Applied.Away = s.away(touched)
	}
	return out, nil
}

// away names nodes that f wants and that have no session, in order.
func (s *Server) away(f func(id string, labels map[string]string) bool) (names []string) {
	seen := s.cfg.Desk.Seen()
	for _, n := range s.cfg.State.Nodes() {
		if _, connected := seen[n.ID]; !connected && f(n.ID, n.Labels) {
			names = append(names, n.ID)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), keeperapi.NamesMax)]
}

// foresee judges a change before it is one: by the state, then by the nodes.
func (s *Server) foresee(ctx context.Context, c *change, guarded string, out *keeperapi.Answer) error {
	stamped := c.Command
	stamped.At = s.cfg.Now()
	text, err := state.Encode(stamped)
	if err != nil {
		return refuse(keeperapi.CodeTooLong, "%s", err)
	}
	if r := s.cfg.State.Check(text); r.Error != nil {
		return r.Error
	}
	ask, err := s.questions(c, text, guarded, out)
	if err != nil || c.all {
		return err
	}
	p := s.cfg.Desk.Check(ctx, ask)
	out.Checked = &p
	if len(p.Refused) == 0 {
		return nil
	}
	first := p.Refused[0]
	return &keeperapi.Error{Code: keeperapi.CodePreflight, Knob: first.Knob, Node: first.Node, Refused: p.Refused, Message: sentence(&p)}
}

func sentence(p *keeperapi.Preflight) string {
	refusing := map[string]bool{}
	for _, r := range p.Refused {
		refusing[r.Node] = true
	}
	first := p.Refused[0]
	return refuse("", "%d of %d nodes would refuse it, so nothing was changed: %s: %s",
		len(refusing), p.Asked, first.Node, first.Reason).Message
}

// questions says what each node is to be asked. For a dry run, and where only
// the state knows what would come, it looks into the future on a copy.
func (s *Server) questions(c *change, text []byte, guarded string, out *keeperapi.Answer) (func(string, map[string]string) *nodes.Question, error) {
	plain := len(c.want) > 0
	for _, a := range c.want {
		plain = plain && !a.Unset
	}
	if plain && !c.ask.DryRun || c.all && !c.ask.DryRun {
		return s.questionsOf(c, guarded), nil
	}
	f, err := s.cfg.State.Preview(text)
	if err != nil {
		return nil, err
	}
	if f.Result.Error != nil {
		return nil, f.Result.Error
	}
	if c.ask.DryRun {
		out.Result, out.Changes = f.Result, s.deltas(f.Events)
		out.Diff, out.DiffNodes = f.Diff[:min(len(f.Diff), keeperapi.NamesMax)], countNodes(f.Diff)
	}
	if plain {
		return s.questionsOf(c, guarded), nil
	}
	byNode := map[string]*nodes.Question{}
	for _, d := range f.Diff {
		if byNode[d.Node] == nil {
			byNode[d.Node] = &nodes.Question{Values: map[string]string{}, Guard: guarded}
		}
		byNode[d.Node].Values[d.Knob] = d.New
	}
	return func(id string, _ map[string]string) *nodes.Question { return byNode[id] }, nil
}

func countNodes(diff []keeperapi.NodeDiff) int {
	seen := map[string]bool{}
	for i := range diff {
		seen[diff[i].Node] = true
	}
	return len(seen)
}

// questionsOf asks each node in scope for the values that it would get: not
// those that something set more closely hides from it.
func (s *Server) questionsOf(c *change, guarded string) func(string, map[string]string) *nodes.Question {
	shared := map[string]*nodes.Question{} // most nodes are asked the same
	return func(id string, labels map[string]string) *nodes.Question {
		key := make([]byte, len(c.want))
		any := false
		for i, a := range c.want {
			if a.Scope.Covers(id, labels) && !s.hidden(id, a) {
				key[i], any = 1, true
			}
		}
		if !any {
			return nil
		}
		if shared[string(key)] == nil {
			q := &nodes.Question{Values: map[string]string{}, Guard: guarded}
			for i, a := range c.want {
				if key[i] == 1 {
					q.Values[a.Knob] = a.Value
				}
			}
			shared[string(key)] = q
		}
		return shared[string(key)]
	}
}

func (s *Server) hidden(id string, a keeperapi.Assign) bool {
	h, ok := s.cfg.State.HeldBy(id, a.Knob)
	return ok && h.Layer.Above(a.Scope.Layer())
}

// eventsOf returns what a change did, of what is remembered.
func (s *Server) eventsOf(c *change, r *keeperapi.Result) []keeperapi.Event {
	nothing := r.Changed == 0 && len(c.want) > 0
	for _, a := range c.want {
		nothing = nothing && a.Unset
	}
	if nothing || r.Revision == 0 {
		return nil
	}
	events, _ := s.cfg.State.Since(r.Revision - 1)
	for i := range events {
		if events[i].Revision != r.Revision {
			return events[:i]
		}
	}
	return events
}

// concerns tells whether a value changed, and f, if given, takes the event.
func concerns(events []keeperapi.Event, f func(*keeperapi.Event) bool) bool {
	for i := range events {
		if events[i].ChangesValues() && (f == nil || f(&events[i])) {
			return true
		}
	}
	return false
}

func (s *Server) deltas(events []keeperapi.Event) []keeperapi.Delta {
	var out []keeperapi.Delta
	for i := range events {
		e := &events[i]
		if e.Knob == "" || !e.ChangesValues() {
			continue
		}
		d := keeperapi.Delta{Knob: e.Knob, Scope: e.Scope, Old: e.Old, New: e.Value}
		if e.Rollout != "" && e.Old == "" { // lies over what the scope says
			d.Old = s.cfg.State.Says(e.Scope, e.Knob)
		}
		if decl, err := s.declaration(e.Knob); err == nil {
			d.Unit, d.Acts, d.Risk = decl.Unit, decl.Acts, decl.Risk
			if d.Scope == keeperapi.Fleet {
				d.Old, d.New = or(d.Old, decl.Default), or(d.New, decl.Default)
			}
		}
		out = append(out, d)
	}
	return out
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
