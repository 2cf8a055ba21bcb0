package state

import (
	"maps"
	"slices"

	"pushfleet/internal/keeperapi"
)

// leaseMax bounds a node's lease: one hour in ms.
const leaseMax = 3600 * 1000

// judgeJoin makes a node known.
func (s *State) judgeJoin(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.Join](c)
	if no != nil {
		return nil, no
	}
	if no := judgeNode(b); no != nil {
		return nil, no
	}
	if s.nodes[b.ID] == nil && len(s.nodes) >= s.limits.Nodes {
		return nil, refuse(keeperapi.CodeTooMany, "%d nodes are known already: forget dead ones with pushctl nodes forget, or raise nodes_max", len(s.nodes))
	}
	sc := s.schemas[b.Schema]
	if sc == nil && b.Schema != "" {
		if b.Definition == nil {
			return nil, refuse(keeperapi.CodeSchema, "the schema %s of %s is not known: send the definition with it", shortened(b.Schema), b.ID)
		}
		if b.Definition.Hash() != b.Schema {
			return nil, refuse(keeperapi.CodeMalformed, "the definition of %s is not what its hash says: fix the node's build", b.ID)
		}
		if sc, no = readSchema(b.Definition); no != nil {
			no.Node = b.ID
			return nil, no
		}
	}
	return func(t *turn) keeperapi.Result { return s.commitJoin(t, b, sc) }, nil
}

func judgeNode(b *keeperapi.Join) *keeperapi.Error {
	if !named(b.ID, 128) {
		return refuse(keeperapi.CodeMalformed, "%q is no name of a node: use 1 to 128 letters, digits and _.:/@-", shortened(b.ID))
	}
	for _, text := range []string{b.Epoch, b.Address, b.Version, b.Schema} {
		if no := short("a field of "+b.ID, text, 128); no != nil {
			return no
		}
	}
	if len(b.Labels) > 32 {
		return refuse(keeperapi.CodeTooMany, "%s has %d labels, allowed are 32: remove some", b.ID, len(b.Labels))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		sc := keeperapi.Scope(name + "=" + b.Labels[name])
		if !named(name, 64) || !named(b.Labels[name], 128) || sc.Layer() != keeperapi.LayerGroup {
			return refuse(keeperapi.CodeMalformed, "%s has a bad label %q: use letters, digits and _.:/@-, and not the names node and canary", b.ID, shortened(string(sc)))
		}
	}
	if no := short("the reason of a nack", b.Knobs.Reason, 1024); no != nil {
		return no
	}
	return judgeLease(b.ID, b.LeaseMS)
}

func judgeLease(id string, ms int64) *keeperapi.Error {
	if ms < 1 || ms > leaseMax {
		return refuse(keeperapi.CodeMalformed, "%s asks for a lease of %d ms: ask for 1 ms to 1 hour", shortened(id), ms)
	}
	return nil
}

func (s *State) commitJoin(t *turn, b *keeperapi.Join, sc *schema) keeperapi.Result {
	n := &keeperapi.Node{ID: b.ID, Epoch: b.Epoch, Address: b.Address, Version: b.Version, Schema: b.Schema,
		Joined: t.At, Seen: t.At, Lease: t.At + keeperapi.Time(b.LeaseMS)}
	if len(b.Labels) > 0 {
		n.Labels = b.Labels
	}
	if max(b.Knobs.Offered, b.Knobs.Applied, b.Knobs.Nacked) <= s.revision { // else of keepers that were lost
		n.Knobs = b.Knobs
	}
	if sc != nil {
		sc.users++
		s.schemas[b.Schema] = sc
	}
	if old := s.nodes[b.ID]; old != nil {
		s.dropSchema(old.Schema)
	}
	s.nodes[b.ID] = n
	t.tell(keeperapi.Event{Kind: keeperapi.KindNodeJoined, Node: b.ID, Value: b.Version})
	return keeperapi.Result{}
}

// dropSchema takes one user from a schema and forgets it with the last.
func (s *State) dropSchema(hash string) {
	if sc := s.schemas[hash]; sc != nil {
		if sc.users--; sc.users == 0 {
			delete(s.schemas, hash)
		}
	}
}

// dropNode forgets a node, also in rollouts, whose share it would take up.
func (s *State) dropNode(n *keeperapi.Node) {
	delete(s.nodes, n.ID)
	s.dropSchema(n.Schema)
	for _, r := range s.running {
		r.drop(n.ID)
	}
}

func (s *State) judgeLeave(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.Leave](c)
	if no != nil {
		return nil, no
	}
	n := s.nodes[b.ID]
	if n == nil {
		return nil, refuse(keeperapi.CodeUnknownNode, "no node is called %q: see pushctl nodes", shortened(b.ID))
	}
	return func(t *turn) keeperapi.Result {
		if t.Who != "" { // not the node itself
			t.what = "forget node " + b.ID
		}
		s.dropNode(n)
		t.tell(keeperapi.Event{Kind: keeperapi.KindNodeLeft, Node: b.ID})
		return keeperapi.Result{}
	}, nil
}

// Node returns what is known of a node. Its maps must not be changed.
func (s *State) Node(id string) (n keeperapi.Node, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.nodes[id]; p != nil {
		return *p, true
	}
	return n, false
}

// Nodes returns all nodes by name. Their maps must not be changed.
func (s *State) Nodes() []keeperapi.Node {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]keeperapi.Node, 0, len(s.nodes))
	for _, id := range slices.Sorted(maps.Keys(s.nodes)) {
		out = append(out, *s.nodes[id])
	}
	return out
}
