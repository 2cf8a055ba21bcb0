package api

import (
	"net/http"
	"slices"

	"pushfleet/internal/guard"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
	"pushfleet/keeper/nodes"
)

func (s *Server) nodes(*http.Request) (any, error) {
	now, current := s.cfg.Now(), s.cfg.State.ValuesRevision()
	seen := s.cfg.Desk.Seen()
	all := s.cfg.State.Nodes()
	out := make([]keeperapi.NodeInfo, 0, len(all))
	for _, n := range all {
		at, connected := seen[n.ID]
		out = append(out, nodeInfo(n, at, connected, now, current))
	}
	return out, nil
}

func nodeInfo(n keeperapi.Node, at nodes.Seen, connected bool, now keeperapi.Time, current uint64) keeperapi.NodeInfo {
	i := keeperapi.NodeInfo{Node: n, Connected: connected, DeadForMS: max(0, n.DeadFor(now))}
	if connected { // the state hears of it a moment later
		i.Knobs.Applied, i.Knobs.Nacked, i.Knobs.Reason = at.Applied, at.Nacked, at.Reason
		i.Drift, i.DeadForMS = at.Drift, 0
	}
	i.Current = i.DeadForMS == 0 && i.Knobs.Applied >= current && len(i.Drift) == 0
	return i
}

func (s *Server) held(r *http.Request) (any, error) {
	id := r.PathValue("id")
	if _, ok := s.cfg.State.Node(id); !ok {
		return nil, s.noNode(id)
	}
	return s.cfg.State.Effective(id), nil
}

func (s *Server) noNode(id string) error {
	if id == "" {
		return refuse(keeperapi.CodeUnknownNode, "which node? name one; see pushctl nodes")
	}
	var names []string
	for _, n := range s.cfg.State.Nodes() {
		names = append(names, n.ID)
	}
	if near := knob.Closest(id, names); near != "" {
		return refuse(keeperapi.CodeUnknownNode, "no node is called %q; did you mean %s?", clip(id, 100), near)
	}
	return refuse(keeperapi.CodeUnknownNode, "no node is called %q; see pushctl nodes", clip(id, 100))
}

// counts sums up nodes for the status.
func (s *Server) counts() keeperapi.Counts {
	now, current := s.cfg.Now(), s.cfg.State.ValuesRevision()
	seen := s.cfg.Desk.Seen()
	var c keeperapi.Counts
	for _, n := range s.cfg.State.Nodes() {
		at, connected := seen[n.ID]
		i := nodeInfo(n, at, connected, now, current)
		c.Total++
		switch {
		case i.DeadForMS > 0:
			c.Dead++
			continue
		case i.Knobs.Nacked > i.Knobs.Applied:
			c.Nacked++
		case i.Current:
			c.Current++
		default:
			c.Behind++
		}
		c.Alive++
	}
	return c
}

func (s *Server) rollout(r *http.Request) (any, error) {
	id := r.PathValue("id")
	ro, ok := s.cfg.State.Rollout(id)
	if !ok {
		return nil, refuse(keeperapi.CodeRollout, "there is no rollout %q; see pushctl knob rollout list", clip(id, 100))
	}
	out := keeperapi.RolloutInfo{Rollout: ro, NowMS: s.cfg.Now()}
	seen := s.cfg.Desk.Seen()
	expr, err := guard.Parse(ro.Guard)
	if ro.Guard == "" || err != nil {
		expr = nil
	}
	var rest []map[string]float64
	for _, n := range s.cfg.State.Nodes() {
		at, connected := seen[n.ID]
		switch {
		case slices.Contains(ro.Nodes, n.ID), ro.All && ro.Scope.Covers(n.ID, n.Labels) && !n.Dead:
			if len(out.Reached) < keeperapi.NamesMax {
				out.Reached = append(out.Reached, rolloutNode(n.ID, at, ro.Revision, expr))
			}
		case connected:
			rest = append(rest, at.Figures)
		}
	}
	if expr != nil {
		out.Baseline = baseline(expr, rest)
	}
	return out, nil
}

func rolloutNode(id string, at nodes.Seen, revision uint64, expr *guard.Expr) keeperapi.RolloutNode {
	n := keeperapi.RolloutNode{Node: id, Applied: at.Applied >= revision, OK: true}
	if expr != nil && at.Figures != nil {
		o := expr.Eval(at.Figures)
		n.OK, n.Figures = o.Holds, o.Figures
	}
	return n
}

// baseline is what the guard sees at the median of the untouched nodes.
func baseline(expr *guard.Expr, figures []map[string]float64) string {
	if len(figures) == 0 {
		return ""
	}
	median := map[string]float64{}
	for _, name := range expr.Names() {
		var all []float64
		for _, f := range figures {
			if v, ok := f[name]; ok {
				all = append(all, v)
			}
		}
		if slices.Sort(all); len(all) > 0 {
			median[name] = all[len(all)/2]
		}
	}
	if len(median) == 0 {
		return ""
	}
	return expr.Eval(median).Figures
}
