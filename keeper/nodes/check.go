package nodes

import (
	"context"
	"slices"
	"strings"

	"pushfleet/internal/keeperapi"
)

// Question is what one node is asked before a commit: the values by knob, an
// empty text for its default.
type Question struct {
	Values map[string]string
	Guard  string
}

// Check asks nodes, all at once, whether they would take a change; ask returns
// nil for a node that is not concerned. Nodes without a session are not asked.
func (d *Desk) Check(ctx context.Context, ask func(id string, labels map[string]string) *Question) keeperapi.Preflight {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timing.Check)
	defer cancel()
	id := d.checks.Add(1)
	asked := map[*session][]byte{}
	encoded := map[*Question][]byte{} // most nodes get the same
	d.covered(func(node string, labels map[string]string) bool {
		if q := ask(node, labels); q != nil {
			if encoded[q] == nil {
				encoded[q] = encode(&keeperapi.KeeperFrame{Check: &keeperapi.Check{ID: id, Values: q.Values, Guard: q.Guard}})
			}
			asked[d.sessions[node]] = encoded[q]
		}
		return false
	})
	answers := make(chan told, len(asked))
	places := make(chan struct{}, writesMax)
	for s, frame := range asked {
		go s.ask(ctx, id, frame, places, answers) // ends with an answer or ctx, or when a write gives up
	}
	return gather(ctx, asked, answers)
}

// writesMax bounds the questions that are being written, for the reason of
// Desk.turns. Above it are nodes that take nothing, until the time is over.
const writesMax = 64

// told is what one node answered.
type told struct {
	s       *session
	refused []keeperapi.Refusal
}

func gather(ctx context.Context, asked map[*session][]byte, answers <-chan told) keeperapi.Preflight {
	p := keeperapi.Preflight{Asked: len(asked)}
	for len(asked) > 0 && ctx.Err() == nil {
		select {
		case a := <-answers:
			delete(asked, a.s)
			if len(a.refused) == 0 {
				p.Accepted++
			}
			for _, r := range a.refused {
				r.Node = a.s.join.ID
				p.Refused = append(p.Refused, r)
			}
		case <-ctx.Done():
		}
	}
	for s := range asked {
		p.Silent = append(p.Silent, s.join.ID)
	}
	slices.Sort(p.Silent)
	slices.SortFunc(p.Refused, func(a, b keeperapi.Refusal) int {
		return strings.Compare(a.Node+"\x00"+a.Knob, b.Node+"\x00"+b.Knob)
	})
	p.Silent = p.Silent[:min(len(p.Silent), keeperapi.NamesMax)]
	p.Refused = p.Refused[:min(len(p.Refused), keeperapi.NamesMax)]
	return p
}

// ask puts the question to one node and passes the answer on.
func (s *session) ask(ctx context.Context, id uint64, frame []byte, places chan struct{}, answers chan<- told) {
	c := make(chan keeperapi.Checked, 1)
	s.mu.Lock()
	s.checks[id] = c
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.checks, id)
	}()
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	err := s.put(frame)
	<-places
	if err != nil {
		return
	}
	select {
	case a := <-c:
		answers <- told{s, a.Refused}
	case <-ctx.Done():
	}
}

func (s *session) checked(a *keeperapi.Checked) {
	s.mu.Lock()
	c := s.checks[a.ID]
	delete(s.checks, a.ID)
	s.mu.Unlock()
	if c != nil {
		c <- *a
	}
}
