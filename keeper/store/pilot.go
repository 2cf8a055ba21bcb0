package store

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Health is what the leader knows of a member.
type Health struct {
	Known     bool
	OK        bool      // answers, follows this leader and is at most lagMax entries behind
	Since     time.Time // since when OK is as it is
	LastIndex uint64    // of its log, at the last answer
	Lag       uint64    // entries behind the leader's log
	Reason    string    // why not OK
}

// lagMax is how many entries a member may be behind and still count as keeping
// up: below what the leader sends in one go.
const lagMax = 256

// look is what the leader saw in one round.
type look struct {
	now       time.Time
	self      string // id of the leader
	lastIndex uint64
	members   []seen
	stable    time.Duration
	votersMax int
}

type seen struct {
	id     string
	voter  bool
	answer *reply // nil: none
}

// next is the whole rule: from what was known and what was seen to what is
// known and whom to promote, at most one. It is pure.
//
// A member without vote gets it when it has been OK for the stable time, the
// voters are fewer than votersMax, and with it a majority of the voters are OK:
// otherwise the change itself could not be committed.
func next(before map[string]Health, l look) (after map[string]Health, promote string) {
	after = map[string]Health{}
	voters, healthy := 0, 0
	for _, m := range l.members {
		h := judge(before[m.id], m, l)
		after[m.id] = h
		if m.voter {
			voters++
			if h.OK {
				healthy++
			}
		}
	}
	if voters >= l.votersMax || healthy+1 < (voters+1)/2+1 {
		return after, ""
	}
	for _, m := range l.members {
		h := after[m.id]
		if !m.voter && h.OK && l.now.Sub(h.Since) >= l.stable && (promote == "" || m.id < promote) {
			promote = m.id
		}
	}
	return after, promote
}

func judge(before Health, m seen, l look) Health {
	h := Health{Known: true, OK: true, Since: before.Since, LastIndex: before.LastIndex}
	switch r := m.answer; {
	case m.id == l.self:
		h.LastIndex = l.lastIndex
	case r == nil:
		h.OK, h.Reason = false, "no answer"
	default:
		h.LastIndex = r.LastIndex
		if r.LeaderID != l.self {
			h.OK, h.Reason = false, "follows another leader or none"
		}
	}
	h.Lag = l.lastIndex - min(l.lastIndex, h.LastIndex)
	if h.OK && h.Lag > lagMax {
		h.OK, h.Reason = false, "behind"
	}
	if !before.Known || before.OK != h.OK {
		h.Since = l.now
	}
	return h
}

// pilot holds what next returned last.
type pilot struct {
	mu    sync.Mutex
	known map[string]Health
}

func (p *pilot) health() map[string]Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known
}

func (p *pilot) set(h map[string]Health) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = h
}

// fly looks after the members while this one leads.
func (s *Store) fly(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Timing.Pilot)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if s.State() != Leader {
			s.pilot.set(nil)
			continue
		}
		after, promote := next(s.pilot.health(), s.look(ctx))
		s.pilot.set(after)
		if promote == "" {
			continue
		}
		s.log.Info("member keeps up, it may vote from now on", "id", promote)
		bounded, cancel := context.WithTimeout(ctx, s.cfg.Timing.RPC)
		if err := s.promote(bounded, promote); err != nil {
			s.log.Warn("member not promoted", "id", promote, "err", err)
		}
		cancel()
	}
}

// look asks all members how far they are.
func (s *Store) look(ctx context.Context) look {
	var addresses []string
	servers := s.raft.GetConfiguration().Configuration().Servers
	for _, m := range servers {
		addresses = append(addresses, string(m.Address))
	}
	answers, _ := s.ask(ctx, addresses) // who is silent is seen as such
	l := look{
		now: time.Now(), self: s.cfg.ID, lastIndex: s.raft.LastIndex(),
		stable: s.cfg.Timing.Stable, votersMax: s.cfg.VotersMax,
	}
	for _, m := range servers {
		one := seen{id: string(m.ID), voter: m.Suffrage == raft.Voter}
		for i := range answers {
			if answers[i].ID == one.id {
				one.answer = &answers[i]
			}
		}
		l.members = append(l.members, one)
	}
	return l
}
