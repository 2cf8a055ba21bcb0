package state

import (
	"maps"
	"slices"

	"pushfleet/internal/keeperapi"
)

// schema is kept once for all nodes that declare the same.
type schema struct {
	decls keeperapi.Schema // sorted
	knobs map[string]*decl
	users int // nodes
}

// readSchema checks a definition and reads its bounds.
func readSchema(defs keeperapi.Schema) (*schema, *keeperapi.Error) {
	if len(defs) > 2000 {
		return nil, refuse(keeperapi.CodeTooMany, "the schema has %d knobs, allowed are 2000: declare fewer", len(defs))
	}
	sc := &schema{decls: slices.Clone(defs), knobs: make(map[string]*decl, len(defs))}
	sc.decls.Sort()
	for i := range sc.decls {
		d := &sc.decls[i]
		if !named(d.Name, 128) || len(d.Help) > 1000 || sc.knobs[d.Name] != nil {
			return nil, refuseKnob(keeperapi.CodeMalformed, d.Name, "the schema declares %q twice or badly: fix the node's build", shortened(d.Name))
		}
		read, err := readDecl(d)
		if err != nil {
			return nil, refuseKnob(keeperapi.CodeMalformed, d.Name, "the schema's %s has a bad type, default or range: fix the node's build", d.Name)
		}
		sc.knobs[d.Name] = read
	}
	return sc, nil
}

// declares tells whether the node declares the knob.
func (s *State) declares(n *keeperapi.Node, knob string) bool {
	sc := s.schemas[n.Schema]
	return sc != nil && sc.knobs[knob] != nil
}

// accepts holds a value against the schemas of the nodes that it is for. A
// node refuses while it is alive; where no live node in the scope declares the
// knob, everybody who does is asked, since a value that nobody takes is a
// mistake. A node that does not declare the knob has no say: it is an older or
// newer build and will ignore it.
func (s *State) accepts(a keeperapi.Assign, at keeperapi.Time) *keeperapi.Error {
	known := false
	refusing := map[string]bool{}
	for hash, sc := range s.schemas { // any order: only sets are built
		if d := sc.knobs[a.Knob]; d != nil {
			known = true
			if code, _ := d.judge(a.Value); code != "" {
				refusing[hash] = true
			}
		}
	}
	if !known {
		return refuseKnob(keeperapi.CodeUnknownKnob, a.Knob, "no node declares a knob %q: see pushctl knob list", shortened(a.Knob))
	}
	if e := s.knownByNode(a); e != nil || len(refusing) == 0 {
		return e
	}
	if id, anyone := s.culprit(a, at, refusing); id != "" || anyone {
		return s.blame(a, id)
	}
	id, _ := s.culprit(keeperapi.Assign{Knob: a.Knob, Scope: keeperapi.Fleet}, 0, refusing)
	return s.blame(a, id)
}

// knownByNode checks that a single node exists and declares the knob.
func (s *State) knownByNode(a keeperapi.Assign) *keeperapi.Error {
	if a.Scope.Layer() != keeperapi.LayerNode {
		return nil
	}
	_, id := a.Scope.Label()
	n := s.nodes[id]
	if n == nil {
		return refuse(keeperapi.CodeUnknownNode, "no node is called %q: see pushctl nodes", id)
	}
	if !s.declares(n, a.Knob) {
		e := refuseKnob(keeperapi.CodeUnknownKnob, a.Knob, "%s has no knob %s: upgrade it, or set the knob elsewhere", called(n), a.Knob)
		e.Node = id
		return e
	}
	return nil
}

// culprit returns the first node by name that is alive at the time, in the
// scope and of a refusing schema; and whether anybody alive in the scope
// declares the knob at all. Time 0 takes everybody for alive.
func (s *State) culprit(a keeperapi.Assign, at keeperapi.Time, refusing map[string]bool) (id string, anyone bool) {
	for _, n := range s.nodes { // any order: the least name is taken
		if at >= n.Lease || !a.Scope.Covers(n.ID, n.Labels) || !s.declares(n, a.Knob) {
			continue
		}
		anyone = true
		if refusing[n.Schema] && (id == "" || n.ID < id) {
			id = n.ID
		}
	}
	return id, anyone
}

func (s *State) blame(a keeperapi.Assign, id string) *keeperapi.Error {
	if id == "" {
		return nil
	}
	n := s.nodes[id]
	d := s.schemas[n.Schema].knobs[a.Knob]
	code, reason := d.judge(a.Value)
	e := refuseKnob(code, a.Knob, "%s: %q %s for %s; allowed is %s",
		a.Knob, shortened(a.Value), reason, called(n), d.allowed())
	e.Node = id
	return e
}

// called is a node in a message.
func called(n *keeperapi.Node) string {
	if n.Version == "" {
		return n.ID
	}
	return n.ID + " (pushd " + n.Version + ")"
}

// Schemas returns the definitions in use by hash. They must not be changed.
func (s *State) Schemas() map[string]keeperapi.Schema {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]keeperapi.Schema, len(s.schemas))
	for hash, sc := range s.schemas {
		out[hash] = sc.decls
	}
	return out
}

// Knobs returns the names that any node declares, sorted.
func (s *State) Knobs() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := map[string]bool{}
	for _, sc := range s.schemas {
		for name := range sc.knobs {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
