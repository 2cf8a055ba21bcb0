package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// connRef is a connection as people name it: ID, or NODE/ID where several
// nodes are asked, since those that are no fleet number their connections
// alike.
type connRef struct{ node, id string }

func parseConn(text string) (connRef, error) {
	i := strings.LastIndexByte(text, '/')
	r := connRef{text[:max(0, i)], text[i+1:]}
	if i == 0 {
		return r, fmt.Errorf("connection %q: the name of the node before / is empty", text)
	}
	_, err := push.ParseHandle(r.id)
	return r, err
}

// among returns the nodes where the connection may be: all, or the one named.
func (r connRef) among(ctx context.Context, nodes []*pushdapi.Client) ([]*pushdapi.Client, error) {
	if r.node == "" {
		return nodes, nil
	}
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (string, error) {
		v, err := c.Version(ctx)
		if err != nil {
			return "", err
		}
		return v.Node, nil
	})
	var of []*pushdapi.Client
	for i, name := range a.vals {
		if name == r.node {
			of = append(of, a.from[i])
		}
	}
	switch {
	case len(of) > 0:
		return of, nil
	case len(a.vals) == 0:
		return nil, a.err()
	case len(a.silent) > 0:
		return nil, &silentError{asked: a.asked, silent: a.silent, said: fmt.Sprintf("no node that answered is called %s", table.Safe(r.node))}
	}
	slices.Sort(a.vals)
	return nil, usagef("no node asked is called %s, only %s: choose others with --node or --context", table.Safe(r.node), table.Safe(strings.Join(slices.Compact(a.vals), ", ")))
}

// located puts the node's name before a connection's ID in the commands to
// try, when several nodes were asked.
func located(try []pushdapi.Hint, c *pushdapi.Conn, asked int) {
	if asked < 2 || c.Node == "" {
		return
	}
	for i, h := range try {
		words := strings.Split(h.Command, " ")
		for k, w := range words {
			if w == c.Conn && words[1] != "trace" { // that takes a user
				words[k] = pushdapi.Quote(table.ConnID(c.Node, c.Conn))
			}
		}
		try[i].Command = strings.Join(words, " ")
	}
}
