package api

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"pushfleet/internal/keeperapi"
)

func (s *Server) knobs(r *http.Request) (any, error) {
	names := s.cfg.State.Knobs()
	out := make([]keeperapi.KnobInfo, 0, len(names))
	c := s.catalogue()
	for _, name := range names {
		out = append(out, c.info(name))
	}
	return out, nil
}

func (s *Server) knob(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if _, err := s.declarations(name); err != nil {
		return nil, err
	}
	return s.catalogue().info(name), nil
}

// catalogue is the state looked at once for many knobs.
type catalogue struct {
	s       *Server
	decls   map[string][]declared
	values  map[keeperapi.Scope]map[string]*keeperapi.Value
	scopes  []keeperapi.Scope // the weakest first
	last    map[string]uint64 // knob → revision of its last change
	running map[string]string // knob → rollout
}

// declared is one way to declare a knob, and how many live nodes do.
type declared struct {
	keeperapi.Decl
	nodes int
}

func (s *Server) catalogue() *catalogue {
	c := &catalogue{s: s, decls: map[string][]declared{}, running: map[string]string{}}
	c.values, c.last = s.cfg.State.ValuesWithLast()
	live := map[string]int{}
	for _, n := range s.cfg.State.Nodes() {
		if !n.Dead {
			live[n.Schema]++
		}
	}
	schemas := s.cfg.State.Schemas()
	for _, hash := range slices.Sorted(maps.Keys(schemas)) {
		for _, d := range schemas[hash] {
			c.declare(d, live[hash])
		}
	}
	c.scopes = slices.SortedFunc(maps.Keys(c.values), weakestFirst)
	for _, r := range s.cfg.State.Rollouts() {
		if r.Phase == keeperapi.PhaseRunning {
			for knob := range r.Values {
				c.running[knob] = r.ID
			}
		}
	}
	return c
}

func (c *catalogue) declare(d keeperapi.Decl, nodes int) {
	all := c.decls[d.Name]
	for i := range all {
		if sameDecl(&all[i].Decl, &d) {
			all[i].nodes += nodes
			return
		}
	}
	c.decls[d.Name] = append(all, declared{d, nodes})
}

func sameDecl(a, b *keeperapi.Decl) bool {
	return a.Type == b.Type && a.Unit == b.Unit && a.Default == b.Default && a.Min == b.Min && a.Max == b.Max &&
		a.Acts == b.Acts && a.Risk == b.Risk && slices.Equal(a.Values, b.Values)
}

func weakestFirst(a, b keeperapi.Scope) int {
	switch {
	case a.Layer() != b.Layer() && b.Layer().Above(a.Layer()):
		return -1
	case a.Layer() != b.Layer():
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (c *catalogue) info(name string) keeperapi.KnobInfo {
	out := keeperapi.KnobInfo{Rollout: c.running[name], Frozen: c.s.cfg.State.Frozen(name), Last: c.last[name]}
	all := c.decls[name]
	most := 0
	for i, d := range all {
		out.Nodes += d.nodes
		if d.nodes > all[most].nodes {
			most = i
		}
	}
	if len(all) > 0 {
		out.Decl = all[most].Decl
	}
	if len(all) > 1 {
		out.Variants = len(all)
	}
	for _, scope := range c.scopes {
		if v := c.values[scope][name]; v != nil {
			out.Values = append(out.Values, keeperapi.ScopedValue{Scope: scope, Value: *v})
		}
	}
	return out
}

func (s *Server) history(r *http.Request) (any, error) {
	h := keeperapi.History{Knob: r.PathValue("name")}
	h.Changes, h.Last, h.Floor = s.cfg.State.History(h.Knob)
	if h.Last == 0 { // never set: then it should at least exist
		if _, err := s.declarations(h.Knob); err != nil {
			return nil, err
		}
		h.Changes = []keeperapi.Change{}
	}
	return h, nil
}

func (s *Server) explain(r *http.Request) (any, error) {
	name, node := r.PathValue("name"), r.URL.Query().Get("node")
	x, ok := s.cfg.State.Explain(node, name)
	if !ok {
		return nil, s.noNode(node)
	}
	if x.Decl == nil && len(x.Layers) == 0 {
		if _, err := s.declarations(name); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (s *Server) freezes(*http.Request) (any, error) { return list(s.cfg.State.Freezes()), nil }
func (s *Server) limits(*http.Request) (any, error)  { return s.cfg.State.Limits(), nil }

func (s *Server) rollouts(*http.Request) (any, error) { return list(s.cfg.State.Rollouts()), nil }

func (s *Server) audit(r *http.Request) (any, error) {
	n := 0
	if text := r.URL.Query().Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return nil, refuse(keeperapi.CodeMalformed, "n=%q: give a whole number above 0", clip(text, 20))
		}
	}
	return list(s.cfg.State.Audit(n)), nil
}

func (s *Server) tokens(*http.Request) (any, error) {
	all := list(s.cfg.State.Tokens())
	for i := range all {
		all[i].Hash = ""
	}
	return all, nil
}

// list makes an empty list of none, which JSON shows as [].
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
