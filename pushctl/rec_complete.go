package main

import (
	"context"
	"os"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// recNodeInReach is the first node that a line names, asked briefly: a shell
// is waiting. nil for none.
func recNodeInReach(ctx context.Context, e *env, l *line) *pushdapi.Client {
	nodes, err := chooseNodes(given(l, "--node"), strings.Join(given(l, "--context"), ""), e.getenv("PUSHCTL_NODE"), e.config)
	if err != nil {
		return nil
	}
	if nodes == nil {
		n, err := findNode(ctx, defaultNodes(e.getenv))
		if err != nil {
			return nil
		}
		nodes = []string{n}
	}
	return pushdapi.New(nodes[0], pushdapi.Options{Timeout: recReach})
}

// recReach bounds how long a shell waits for candidates.
const recReach = 500 * time.Millisecond

// recFieldsInReach are the fields of the node or folder that a line names.
func recFieldsInReach(ctx context.Context, e *env, l *line) (out []candidate) {
	ctx, cancel := context.WithTimeout(ctx, recReach)
	defer cancel()
	var m memory
	if dir := recFolder(l); dir != "" {
		m = fileMemory{dir, os.DirFS(dir)}
	} else if n := recNodeInReach(ctx, e, l); n != nil {
		m = nodeMemory{n}
	} else {
		return nil
	}
	fields, err := m.fields(ctx)
	if err != nil {
		return nil
	}
	for _, f := range fields {
		out = append(out, candidate{f.Name, f.Help})
	}
	return out
}

// recFolder is the value of --file on the line, "" for none.
func recFolder(l *line) string {
	for _, flags := range l.flags {
		for _, f := range flags {
			if dir, ok := strings.CutPrefix(f, "--file="); ok {
				return dir
			}
		}
	}
	return ""
}

// bundlesInReach are the bundles of the node that a line names.
func bundlesInReach(ctx context.Context, e *env, l *line) (out []candidate) {
	ctx, cancel := context.WithTimeout(ctx, recReach)
	defer cancel()
	n := recNodeInReach(ctx, e, l)
	if n == nil {
		return nil
	}
	all, err := n.RecBundles(ctx)
	if err != nil {
		return nil
	}
	for _, b := range all {
		out = append(out, candidate{b.ID, b.Why})
	}
	return out
}
