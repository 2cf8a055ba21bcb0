package node

import (
	"context"
	"fmt"
	"strings"
)

// StatusLine is what systemctl status shows of the node.
func (n *Node) StatusLine() string {
	s := n.stats(context.Background(), false)
	state := s.State
	if s.Shadow {
		state += " as a shadow"
	}
	parts := []string{state + " on " + strings.Join(n.ClientAddrs(), " "),
		fmt.Sprintf("%d connections", s.Connections.Total), fmt.Sprintf("%.0f messages/s", s.Published.S10)}
	if s.Queued.Messages > 0 {
		parts = append(parts, fmt.Sprintf("%d queued", s.Queued.Messages))
	}
	if len(s.SilentLoop) > 0 {
		parts = append(parts, fmt.Sprintf("%d loops silent", len(s.SilentLoop)))
	}
	return strings.Join(append(parts, "knobs "+s.Knobs()), ", ")
}
