package main

import (
	"context"

	"pushfleet/internal/pushdapi"
)

// connsOffered is how many connections a shell is offered.
const connsOffered = 20

// connsInReach are the connections that wait longest on the node that a line
// names, and their users.
func connsInReach(ctx context.Context, e *env, l *line) (out []candidate) {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	n := recNodeInReach(ctx, e, l)
	if n == nil {
		return nil
	}
	top, err := n.Top(ctx, pushdapi.TopQuery{By: "wait", N: connsOffered})
	if err != nil {
		return nil
	}
	for _, r := range top.Rows {
		out = append(out, candidate{r.Conn, r.User})
		if r.User != "" {
			out = append(out, candidate{r.User, r.Conn})
		}
	}
	return out
}
