package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
)

// startValues reads the table [knobs] of a TOML file: names to texts. Units are
// written as everywhere, 250ms or 64KiB; the registry reads and checks them.
func startValues(path string) (map[string]string, error) {
	values := map[string]string{}
	if path == "" {
		return values, nil
	}
	var file struct{ Knobs map[string]any }
	if _, err := toml.DecodeFile(path, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	flatten(values, "", file.Knobs)
	return values, nil
}

// flatten turns nested tables into dotted names: shop.pace is one in TOML.
func flatten(into map[string]string, prefix string, tree map[string]any) {
	for name, v := range tree {
		if sub, ok := v.(map[string]any); ok {
			flatten(into, prefix+name+".", sub)
			continue
		}
		into[prefix+name] = fmt.Sprint(v)
	}
}

// readToken reads a secret from a file, none for "".
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}
