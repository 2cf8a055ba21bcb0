package state

import (
	"fmt"
	"strings"

	"pushfleet/internal/keeperapi"
)

// changesMax bounds one transaction.
const changesMax = 1000

// forMax bounds how long a temporary value lasts: 10 years in ms.
const forMax = 10 * 366 * 24 * 3600 * 1000

// judgeTxn sets and unsets several knobs, all or none.
func (s *State) judgeTxn(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.Txn](c)
	if no != nil {
		return nil, no
	}
	if no := s.judgeFrame(c, b.ForMS, b.Guard, b.NowAll); no != nil {
		return nil, no
	}
	if no := s.judgeChanges(c, b.Changes, b.IfRev, b.NowAll); no != nil {
		return nil, no
	}
	added := 0
	for _, a := range b.Changes {
		old := s.at(place{a.Scope, a.Knob})
		if old == nil && !a.Unset {
			added++
		}
		if no := s.judgeDepth(a); no != nil && b.ForMS > 0 && !a.Unset {
			return nil, no
		}
	}
	if s.count+added > s.limits.Values {
		return nil, refuse(keeperapi.CodeTooMany, "%d values are kept already: unset some, or raise values_max", s.count)
	}
	return func(t *turn) keeperapi.Result { return s.commitTxn(t, b) }, nil
}

// judgeDepth bounds how many values wait under each other in one place.
func (s *State) judgeDepth(a keeperapi.Assign) *keeperapi.Error {
	if depth(s.at(place{a.Scope, a.Knob})) <= temporaryMax {
		return nil
	}
	return refuseKnob(keeperapi.CodeTooMany, a.Knob,
		"%s has %d temporary values on %s already: unset it first", a.Knob, temporaryMax, a.Scope)
}

func (s *State) commitTxn(t *turn, b *keeperapi.Txn) (r keeperapi.Result) {
	t.what = describe(b)
	if b.NowAll {
		for _, ro := range s.rolloutsOf(b.Changes) {
			s.endRollout(t, ro, keeperapi.PhaseAborted, t.Who, "break-glass set of its knob")
		}
	}
	for _, a := range b.Changes {
		p := place{a.Scope, a.Knob}
		old := s.at(p)
		if a.Unset {
			if old != nil {
				s.change(t, keeperapi.KindUnset, p, nil)
				r.Changed++
			}
			continue
		}
		v := keeperapi.Value{Value: a.Value, Revision: t.revision, Who: t.Who, At: t.At, Why: t.Why, From: t.From, Guard: b.Guard}
		if b.ForMS > 0 {
			v.Deadline = t.At + keeperapi.Time(b.ForMS)
		}
		if text(old) != a.Value || old == nil {
			r.Changed++
		}
		s.change(t, keeperapi.KindSet, p, above(old, v))
	}
	return r
}

// judgeFrame checks what transactions and rollouts have in common.
func (s *State) judgeFrame(c *command, forMS int64, guard string, nowAll bool) *keeperapi.Error {
	if forMS < 0 || forMS > forMax {
		return refuse(keeperapi.CodeMalformed, "a value cannot last for %d ms: give 1 ms to 10 years, or nothing for good", forMS)
	}
	if nowAll && strings.TrimSpace(c.Why) == "" {
		return refuse(keeperapi.CodeReason, "--now --all needs a reason: add --why TEXT")
	}
	return short("guard", guard, 1024)
}

// judgeChanges checks every assignment. With nowAll freezes do not hold and
// running rollouts do not stand in the way.
func (s *State) judgeChanges(c *command, changes []keeperapi.Assign, ifRev *uint64, nowAll bool) *keeperapi.Error {
	if len(changes) == 0 || len(changes) > changesMax {
		return refuse(keeperapi.CodeTooMany, "a transaction has 1 to %d changes, not %d: split it", changesMax, len(changes))
	}
	if no := s.judgeIfRev(ifRev); no != nil {
		return no
	}
	seen := make(map[place]bool, len(changes))
	for _, a := range changes {
		p := place{a.Scope, a.Knob}
		if seen[p] {
			return refuseKnob(keeperapi.CodeMalformed, a.Knob, "%s on %s occurs twice in the transaction: leave one", a.Knob, a.Scope)
		}
		seen[p] = true
		if no := s.judgeOne(c, a, ifRev, nowAll); no != nil {
			return no
		}
	}
	return nil
}

func (s *State) judgeOne(c *command, a keeperapi.Assign, ifRev *uint64, nowAll bool) *keeperapi.Error {
	if !named(a.Knob, 128) {
		return refuse(keeperapi.CodeUnknownKnob, "%q is no name of a knob: see pushctl knob list", shortened(a.Knob))
	}
	if no := checkScope(a.Scope); no != nil {
		return no
	}
	if no := short("the value", a.Value, 1024); no != nil {
		return no
	}
	if no := s.judgeMoved(a.Knob, ifRev); no != nil {
		return no
	}
	if !nowAll {
		if no := s.judgeHeldStill(a.Knob); no != nil {
			return no
		}
	}
	if a.Unset {
		return nil
	}
	return s.accepts(a, c.At)
}

func (s *State) judgeIfRev(ifRev *uint64) *keeperapi.Error {
	if ifRev != nil && *ifRev > s.revision {
		return refuse(keeperapi.CodeRevision, "r%d is yet to come, the keepers are at r%d: look again and use that", *ifRev, s.revision)
	}
	return nil
}

// judgeMoved is the compare of compare-and-set.
func (s *State) judgeMoved(knob string, ifRev *uint64) *keeperapi.Error {
	h := s.history[knob]
	if ifRev == nil || h == nil || h.Last <= *ifRev {
		return nil
	}
	return refuseKnob(keeperapi.CodeRevision, knob,
		"%s changed at r%d, after r%d: look at what changed and set again with --if-rev %d", knob, h.Last, *ifRev, h.Last)
}

// judgeHeldStill refuses what a freeze or a running rollout holds.
func (s *State) judgeHeldStill(knob string) *keeperapi.Error {
	if f := s.frozen(knob); f != nil {
		return refuseKnob(keeperapi.CodeFrozen, knob,
			"%s is frozen by %s: %s; ask them, or break the glass with --now --all --why TEXT", knob, orSomebody(f.Who), f.Why)
	}
	if r := s.rolloutOf(knob); r != nil {
		return refuseKnob(keeperapi.CodeRollout, knob,
			"rollout %s of %s is running: wait for it, or pushctl knob rollout abort %s", r.ID, knob, r.ID)
	}
	return nil
}

func orSomebody(who string) string {
	if who == "" {
		return "somebody"
	}
	return who
}

// describe is a transaction in a line of audit.
func describe(b *keeperapi.Txn) string {
	var w strings.Builder
	for i, a := range b.Changes {
		if i == 5 {
			fmt.Fprintf(&w, " and %d more", len(b.Changes)-i)
			break
		}
		if i > 0 {
			w.WriteString(", ")
		}
		if a.Unset {
			fmt.Fprintf(&w, "unset %s on %s", a.Knob, a.Scope)
		} else {
			fmt.Fprintf(&w, "set %s=%s on %s", a.Knob, shortened(a.Value), a.Scope)
		}
	}
	if b.ForMS > 0 {
		fmt.Fprintf(&w, " for %d ms", b.ForMS)
	}
	if b.NowAll {
		w.WriteString(", break-glass")
	}
	return w.String()
}
