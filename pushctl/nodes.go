package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"time"

	"pushfleet/internal/pushdapi"
)

// rootSocket is where a node that root runs has its admin socket.
const rootSocket = "/run/pushd/admin.sock"

// defaultNodes are the places where a node of this machine answers.
func defaultNodes(getenv func(string) string) []string {
	places := []string{rootSocket}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append(places, filepath.Join(dir, "pushd", "admin.sock"))
	}
	return append(places, "127.0.0.1:"+pushdapi.PrivatePort)
}

// chooseNodes says which nodes to ask: flags, then an explicit context, then
// PUSHCTL_NODE, then the current context; nil means the default places.
func chooseNodes(flags []string, contextName, fromEnv string, conf func() (*config, error)) ([]string, error) {
	if slices.Contains(flags, "") {
		return nil, usagef("--node is empty: want a socket path or host:port")
	}
	if len(flags) > 0 {
		return flags, nil
	}
	if contextName == "" && fromEnv != "" {
		return splitList(fromEnv), nil
	}
	c, err := conf()
	if err != nil {
		return nil, err
	}
	if contextName == "" {
		contextName = c.Current
	}
	if contextName == "" {
		return nil, nil
	}
	return c.nodes(contextName)
}

// findNode returns the first of the default places where somebody listens. If
// none does, the error tells of the place that comes closest: one that exists
// and is not ours to open before one that is not there.
func findNode(ctx context.Context, places []string) (string, error) {
	failed := &silentError{here: true}
	for _, p := range places {
		network, target, _ := pushdapi.Target(p)
		d := net.Dialer{Timeout: time.Second}
		conn, err := d.DialContext(ctx, network, target)
		if err == nil {
			conn.Close()
			return p, nil
		}
		failed.asked++
		failed.silent = append(failed.silent, silentNode{p, err})
	}
	for _, s := range failed.silent {
		if errors.Is(s.err, fs.ErrPermission) {
			return "", &silentError{asked: 1, silent: []silentNode{s}}
		}
	}
	return "", failed
}
