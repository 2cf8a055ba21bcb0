package store

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// confirmer makes sure that this member still leads, with heartbeats that are
// sent after the question. raft's own VerifyLeader also counts answers to older
// ones: a leader that was paused finds some in its sockets when it wakes, long
// after another was elected.
//
// Questions are numbered. A worker per member sends one heartbeat at a time,
// and its answer settles all questions asked before it was sent.
type confirmer struct {
	mu      sync.Mutex
	asked   uint64
	term    uint64            // of settled; another term starts anew
	settled map[string]uint64 // by member: up to which question it has agreed
	busy    map[string]bool   // a worker runs
	more    chan struct{}     // closed when settled grows
}

// confirm returns nil when a majority still took this member for the leader in
// term after confirm was called. The caller knows that it did lead in term.
func (s *Store) confirm(ctx context.Context, term uint64) error {
	c := &s.confirmer
	c.mu.Lock()
	c.asked++
	question := c.asked
	if c.term != term {
		c.term, c.settled, c.busy = term, map[string]uint64{}, map[string]bool{}
	}
	c.mu.Unlock()
	for {
		_, changed := s.Leadership()
		if s.raft.State() != raft.Leader || s.raft.CurrentTerm() != term {
			return s.notLeader()
		}
		done, more := s.settle(question, term)
		if done {
			return nil
		}
		select {
		case <-more:
		case <-changed:
		case <-s.ctx.Done():
			return ErrShutdown
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle tells whether a majority has agreed, and sets those to work who have
// not. more is closed when another one agrees.
func (s *Store) settle(question, term uint64) (done bool, more <-chan struct{}) {
	c := &s.confirmer
	c.mu.Lock()
	defer c.mu.Unlock()
	voters, agree := 0, 0
	for _, m := range s.raft.GetConfiguration().Configuration().Servers {
		if m.Suffrage != raft.Voter {
			continue
		}
		voters++
		id := string(m.ID)
		switch {
		case id == s.cfg.ID || c.term == term && c.settled[id] >= question:
			agree++
		case c.term == term && !c.busy[id]:
			c.busy[id] = true
			busy := c.busy
			go s.heartbeat(m, term, busy) // ends with the questions, the term or the member
		}
	}
	if c.more == nil {
		c.more = make(chan struct{})
	}
	return agree > voters/2, c.more
}

// heartbeat asks one member until no question is open, or this member stops
// leading, which it does soon when it reaches no majority.
func (s *Store) heartbeat(m raft.Server, term uint64, busy map[string]bool) {
	c := &s.confirmer
	id := string(m.ID)
	for {
		c.mu.Lock()
		question := c.asked
		leads := s.ctx.Err() == nil && s.raft.State() == raft.Leader && s.raft.CurrentTerm() == term
		if c.term != term || c.settled[id] >= question || !leads {
			delete(busy, id)
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		agrees := s.sendHeartbeat(m, term)
		c.mu.Lock()
		if agrees && c.term == term {
			c.settled[id] = question
			if c.more != nil {
				close(c.more)
				c.more = nil
			}
		}
		c.mu.Unlock()
		if agrees {
			continue
		}
		select {
		case <-time.After(s.cfg.Timing.Heartbeat / 10):
		case <-s.ctx.Done():
		}
	}
}

// sendHeartbeat sends what raft itself sends to keep its followers. term is one
// in which this member leads or led, so the heartbeat claims nothing untrue.
func (s *Store) sendHeartbeat(m raft.Server, term uint64) bool {
	self := raft.ServerAddress(s.link.advertise)
	address := s.calls.EncodePeer(raft.ServerID(s.cfg.ID), self)
	request := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(s.cfg.ID), Addr: address},
		Term:      term,
	}
	var response raft.AppendEntriesResponse
	err := s.calls.AppendEntries(m.ID, m.Address, request, &response)
	return err == nil && response.Success && response.Term == term
}
