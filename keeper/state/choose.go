package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"pushfleet/internal/keeperapi"
)

// stepAll is the last step of a plan.
const stepAll = "all"

// choice is who a step reaches in addition.
type choice struct {
	nodes []string // in order of rank
	of    int      // candidates, with those reached before
	all   bool
}

// choose ranks the candidates by a hash of rollout and node, so that every
// member picks the same, no node is always first, and a larger share contains
// a smaller one. Those reached before stay and count.
func (s *State) choose(r *rollout, step int, at keeperapi.Time) choice {
	type ranked struct {
		id   string
		rank uint64
	}
	var fresh []ranked
	of := 0
	for _, n := range s.nodes { // any order: sorted below
		if !s.candidate(r, n, at) {
			continue
		}
		of++
		if !r.in[n.ID] {
			fresh = append(fresh, ranked{n.ID, rank(r.ID, n.ID)})
		}
	}
	slices.SortFunc(fresh, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id)) })
	want, _ := readStep(r.Steps[step], of)
	want = min(max(want-len(r.Nodes), 0), len(fresh))
	c := choice{of: of, all: r.Steps[step] == stepAll}
	for _, f := range fresh[:want] {
		c.nodes = append(c.nodes, f.id)
	}
	return c
}

// candidate tells whether a node can be reached: alive, in the scope, it
// declares all the knobs, and nothing set more closely hides them.
func (s *State) candidate(r *rollout, n *keeperapi.Node, at keeperapi.Time) bool {
	if at >= n.Lease || !r.Scope.Covers(n.ID, n.Labels) {
		return false
	}
	for knob := range r.Values {
		if !s.declares(n, knob) || s.shielded(n, r.Scope, knob) {
			return false
		}
	}
	return true
}

// shielded tells whether a value closer to the node than the scope hides the
// knob: then the node would not get a rollout's value in the end either.
func (s *State) shielded(n *keeperapi.Node, scope keeperapi.Scope, knob string) bool {
	layer := scope.Layer()
	if layer != keeperapi.LayerNode && s.scopes[keeperapi.NodeScope(n.ID)][knob] != nil {
		return true
	}
	if layer != keeperapi.LayerFleet {
		return false
	}
	for name, value := range n.Labels {
		if s.scopes[keeperapi.Scope(name+"="+value)][knob] != nil {
			return true
		}
	}
	return false
}

func rank(rollout, node string) uint64 {
	sum := sha256.Sum256([]byte(rollout + "\x00" + node))
	return binary.BigEndian.Uint64(sum[:])
}

// readStep returns how many of a number of nodes a step reaches. A share is
// rounded down, and is at least one node.
func readStep(step string, of int) (n int, ok bool) {
	if step == stepAll {
		return of, true
	}
	share, isShare := strings.CutSuffix(step, "%")
	if !isShare {
		n, err := strconv.Atoi(step)
		return min(n, of), err == nil && n > 0 && n <= 1_000_000 && step[0] != '+'
	}
	hundredths, ok := readHundredths(share)
	if !ok || hundredths < 1 || hundredths > 100*100 {
		return 0, false
	}
	return min(max(of*hundredths/(100*100), 1), of), true
}

// readHundredths reads 5, 0.5 and 12.25 without rounding.
func readHundredths(s string) (int, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(whole) < 1 || len(whole) > 3 || len(fraction) > 2 || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(whole + (fraction + "00")[:2])
	return n, err == nil
}
