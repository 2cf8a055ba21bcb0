package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// What members ask one another beside raft.
type callKind string

const (
	callStatus callKind = "status" // who are you and how far
	callFound  callKind = "found"  // we found this cluster together: take its name
	callJoin   callKind = "join"   // let me in, or note my new address
)

// call is one question, reply the answer; JSON on one stream each.
type call struct {
	Kind    callKind `json:"kind"`
	ID      string   `json:"id"`
	Address string   `json:"address"`
	Cluster string   `json:"cluster,omitempty"`
	Fresh   bool     `json:"fresh,omitempty"` // join: the caller's log is empty
}

type reply struct {
	Error         string   `json:"error,omitempty"`
	ID            string   `json:"id"`
	Address       string   `json:"address"`
	Cluster       string   `json:"cluster,omitempty"` // join: which one it is now in
	HasState      bool     `json:"has_state"`
	Founders      []string `json:"founders,omitempty"` // sorted addresses, if it wants to found
	Role          Role     `json:"role"`
	LeaderID      string   `json:"leader_id,omitempty"`
	LeaderAddress string   `json:"leader_address,omitempty"`
	Term          uint64   `json:"term"`
	LastIndex     uint64   `json:"last_index"`
	Applied       uint64   `json:"applied"`
}

// answer runs on the link's goroutines.
func (s *Store) answer(c call) reply {
	var err error
	joined := ""
	switch c.Kind {
	case callStatus:
	case callFound:
		err = s.foundWith(c)
	case callJoin:
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timing.RPC)
		defer cancel()
		if err = s.letIn(ctx, c); err == nil {
			joined = s.ident.cluster()
		}
	default:
		err = fmt.Errorf("unknown call %q: the members' versions differ too much", c.Kind)
	}
	r := s.status()
	r.Cluster = joined
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func (s *Store) status() reply {
	r := reply{
		ID: s.cfg.ID, Address: s.link.advertise, HasState: s.hasState(), Role: s.State(),
		Term: s.raft.CurrentTerm(), LastIndex: s.raft.LastIndex(),
	}
	r.Applied, _ = s.machine.applied.get()
	r.LeaderID, r.LeaderAddress = s.Leader()
	if s.cfg.Expect > 0 {
		r.Founders = s.founders()
	}
	return r
}

// hasState tells whether this member has ever been part of a cluster.
func (s *Store) hasState() bool {
	return s.raft.LastIndex() > 0 || s.raft.CurrentTerm() > 0
}

// foundWith takes the name of the cluster that the founder is about to found.
// Until it has done so, it may come with another name.
func (s *Store) foundWith(c call) error {
	founders := s.founders()
	switch {
	case s.hasState():
		return errors.New("has state already")
	case s.cfg.Expect == 0 || c.Address != founders[0]:
		return fmt.Errorf("does not found a cluster with %s", c.Address)
	case c.Cluster == "" || len(c.Cluster) > idMax:
		return errors.New("a cluster needs a name")
	}
	return s.ident.change(func(d *identityData) { d.Cluster = c.Cluster })
}

// founders are the addresses that found the cluster together, sorted: the first
// one does it.
func (s *Store) founders() []string {
	list := append(slices.Clone(s.cfg.Join), s.link.advertise)
	slices.Sort(list)
	return slices.Compact(list)
}
