package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// config is ~/.config/pushctl/config.toml.
type config struct {
	Current  string             `toml:"current"`
	Contexts map[string]nodeSet `toml:"contexts"`
	path     string
}

// nodeSet names nodes that belong together, and the keepers of their fleet.
type nodeSet struct {
	Nodes     []string `toml:"nodes"`
	Keepers   []string `toml:"keepers"`    // addresses of their API
	KeeperCA  string   `toml:"keeper_ca"`  // PEM file of who signs the keepers' certificates
	TokenFile string   `toml:"token_file"` // holds the token to send
}

// configPath follows XDG_CONFIG_HOME.
func configPath(getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = filepath.Join(getenv("HOME"), ".config")
	}
	return filepath.Join(dir, "pushctl", "config.toml")
}

// readConfig reads the file; a missing one is empty.
func readConfig(path string) (*config, error) {
	c := &config{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	meta, err := toml.Decode(string(b), c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if odd := meta.Undecoded(); len(odd) > 0 {
		return nil, fmt.Errorf("%s: unknown key %s; known are current and, under contexts.NAME, nodes, keepers, keeper_ca and token_file", path, odd[0])
	}
	return c, nil
}

// context returns what a context names.
func (c *config) context(name string) (nodeSet, error) {
	ctx, ok := c.Contexts[name]
	if !ok {
		return nodeSet{}, usagef("no context %q in %s: it has %s", name, c.path, c.names())
	}
	return ctx, nil
}

// nodes returns the nodes of a context.
func (c *config) nodes(name string) ([]string, error) {
	ctx, err := c.context(name)
	if err != nil {
		return nil, err
	}
	if len(ctx.Nodes) == 0 {
		return nil, usagef("context %q in %s has no nodes: add nodes = [\"host:7401\"]", name, c.path)
	}
	return ctx.Nodes, nil
}

func (c *config) names() string {
	if len(c.Contexts) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(c.Contexts)), ", ")
}
