package nodes

import (
	"context"
	"maps"
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

// AlikeMax is how many of nodes that are alike are asked about values: those of
// one schema (and so one configuration) and the same labels, that hold what the
// fleet gives them and nothing of their own. What one of them says all would
// say. A guard is asked of everyone: it looks at the node's own figures.
const AlikeMax = 32

// Check asks nodes, all at once, whether they would take a change; ask returns
// nil for a node that is not concerned. Nodes without a session are not asked.
func (d *Desk) Check(ctx context.Context, ask func(id string, labels map[string]string) *Question) keeperapi.Preflight {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timing.Check)
	defer cancel()
	id := d.checks.Add(1)
	asked := map[*session][]byte{}
	encoded := map[*Question][]byte{} // most nodes get the same
	alike := map[likeness]int{}
	spared := 0
	d.covered(func(node string, labels map[string]string) bool {
		q := ask(node, labels)
		if q == nil {
			return false
		}
		s := d.sessions[node]
		if l, ok := s.likeness(q); ok {
			if alike[l]++; alike[l] > AlikeMax {
				spared++
				return false
			}
		}
		if encoded[q] == nil {
			encoded[q] = encode(&keeperapi.KeeperFrame{Check: &keeperapi.Check{ID: id, Values: q.Values, Guard: q.Guard}})
		}
		asked[s] = encoded[q]
		return false
	})
	answers := make(chan told, len(asked))
	places := make(chan struct{}, writesMax)
	for s, frame := range asked {
		go s.ask(ctx, id, frame, places, answers) // ends with an answer or ctx, or when a write gives up
	}
	p := gather(ctx, asked, answers)
	p.Spared = spared
	return p
}

// likeness is what nodes that would give the same answer have in common.
type likeness struct {
	q      *Question
	schema string
	labels string
}

// likeness returns what the node has in common with others; ok is false for one
// that must be asked itself.
func (s *session) likeness(q *Question) (l likeness, ok bool) {
	s.mu.Lock()
	own := len(s.drift) > 0 || s.ack.Nacked > s.ack.Applied
	s.mu.Unlock()
	if own || q.Guard != "" || s.desk.cfg.State.HasOwn(s.join.ID) {
		return l, false
	}
	return likeness{q, s.join.Schema, s.labels}, true
}

// labelled writes labels in one form.
func labelled(labels map[string]string) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out.WriteString(name + "=" + labels[name] + "\x00")
	}
	return out.String()
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
