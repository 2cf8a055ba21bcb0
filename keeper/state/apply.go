package state

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"

	"pushfleet/internal/keeperapi"
)

// commit changes the state; it cannot fail any more.
type commit func(*turn) keeperapi.Result

// turn is one command being applied.
type turn struct {
	*command
	revision uint64 // the state's, if there is an event
	events   []keeperapi.Event
	what     string // line of audit; empty: none
	values   bool   // some knob's value changed
}

// tell records an event of this turn.
func (t *turn) tell(e keeperapi.Event) {
	e.Revision, e.At = t.revision, t.At
	if t.what != "" { // by a person
		e.Who, e.Why = t.Who, t.Why
	}
	t.values = t.values || e.ChangesValues()
	t.events = append(t.events, e)
}

// Apply runs one command and returns an encoded keeperapi.Result. A refused
// command changes nothing. The index is the log's affair: the log hands each
// entry over once, so the state needs none.
func (s *State) Apply(_ uint64, cmd []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, no := decode(cmd)
	if no != nil {
		return s.refusal(no)
	}
	digest := c.digest()
	if c.ID != "" {
		if a := s.answered[c.ID]; a != nil {
			return s.repeat(a, digest)
		}
	}
	do, no := s.judge(c)
	if no != nil {
		return s.refusal(no)
	}
	t := &turn{command: c, revision: s.revision + 1}
	r := do(t)
	s.close(t)
	r.Revision = s.revision
	out := encodeResult(r)
	if c.ID != "" {
		s.remember(&answer{ID: c.ID, Digest: digest, Result: out})
	}
	return out
}

// Check tells what Apply would answer, and changes nothing. The revision is the
// one that a change would get.
func (s *State) Check(cmd []byte) keeperapi.Result {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, no := decode(cmd)
	if no == nil {
		_, no = s.judge(c)
	}
	if no != nil {
		return keeperapi.Result{Revision: s.revision, Error: no}
	}
	return keeperapi.Result{Revision: s.revision + 1}
}

// judge checks a command against the state and returns how to carry it out. It
// reads only, which is why a refusal leaves no trace.
func (s *State) judge(c *command) (commit, *keeperapi.Error) {
	switch c.Op {
	case OpTxn:
		return s.judgeTxn(c)
	case OpRollback:
		return s.judgeRollback(c)
	case OpFreeze:
		return s.judgeFreeze(c)
	case OpRolloutStart:
		return s.judgeStart(c)
	case OpRolloutAdvance:
		return s.judgeAdvance(c)
	case OpRolloutAbort:
		return s.judgeEnd(c, keeperapi.PhaseAborted)
	case OpRolloutBreak:
		return s.judgeEnd(c, keeperapi.PhaseBroke)
	case OpExpire:
		return s.expire, nil
	case OpJoin:
		return s.judgeJoin(c)
	case OpReport:
		return s.judgeReport(c)
	case OpLeave:
		return s.judgeLeave(c)
	case OpToken:
		return s.judgeToken(c)
	case OpLimits:
		return s.judgeLimits(c)
	}
	return nil, refuse(keeperapi.CodeVersion, "this keeper knows no command %q: upgrade all keepers first", shortened(string(c.Op)))
}

// close makes the turn's events, revision and audit part of the state.
func (s *State) close(t *turn) {
	if len(t.events) == 0 {
		return
	}
	s.revision = t.revision
	if t.values {
		s.values = t.revision
	}
	s.ring.add(t.events, s.limits.Events)
	if t.what != "" {
		s.audit = keepLast(append(s.audit, keeperapi.Audit{Revision: t.revision, At: t.At,
			Who: t.Who, What: t.what, Why: t.Why, From: t.From}), s.limits.Audit)
	}
}

func (s *State) refusal(e *keeperapi.Error) []byte {
	return encodeResult(keeperapi.Result{Revision: s.revision, Error: e})
}

func encodeResult(r keeperapi.Result) []byte {
	b, err := json.Marshal(r)
	if err != nil { // numbers and texts always encode
		panic(err)
	}
	return b
}

// answer is the result of a command that carried an ID.
type answer struct {
	ID     string          `json:"id"`
	Digest uint64          `json:"digest"` // of the command, see digest
	Result json.RawMessage `json:"result"`
}

// digest tells commands apart whatever the leader stamped on them.
func (c *command) digest() uint64 {
	if c.ID == "" {
		return 0
	}
	h := sha256.New()
	h.Write([]byte(c.Op + "\x00" + Op(c.Who) + "\x00"))
	h.Write(c.Body)
	return binary.BigEndian.Uint64(h.Sum(nil))
}

func (s *State) repeat(a *answer, digest uint64) []byte {
	if a.Digest != digest {
		return s.refusal(refuse(keeperapi.CodeReused,
			"the idempotency key %s was used for another command: take a new key", shortened(a.ID)))
	}
	return a.Result
}

func (s *State) remember(a *answer) {
	s.answers = append(s.answers, a)
	s.answered[a.ID] = a
	s.forgetAnswers()
}

func (s *State) forgetAnswers() {
	for len(s.answers) > s.limits.IDs {
		delete(s.answered, s.answers[0].ID)
		s.answers[0] = nil
		s.answers = s.answers[1:]
	}
}

// keepLast drops the oldest so that at most limit stay.
func keepLast[T any](list []T, limit int) []T {
	if over := len(list) - limit; over > 0 {
		clear(list[:over])
		return list[over:]
	}
	return list
}
