package node

import "pushfleet/internal/pushdapi"

// fillShadow says whether the node is a shadow, and what it did not let out.
// What clients send to the back end ends at the node, answered as by one
// without a back end.
func (n *Node) fillShadow(s *pushdapi.Stats) {
	if s.Shadow = n.cfg.Shadow; s.Shadow {
		s.ShadowCut = map[string]uint64{pushdapi.CutUplink: s.Totals.UplinkNo}
	}
}
