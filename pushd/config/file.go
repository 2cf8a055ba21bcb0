package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"pushfleet/internal/knob"
)

// file reads the TOML file. Only the default file may be absent.
func (l *loader) file(path string, optional bool) {
	data, err := l.readFile(path)
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			l.problem("config", err.Error(), l.cfg.Source("config"))
		}
		return
	}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		l.problem("", tomlError(err), path)
		return
	}
	leaves := map[string]any{}
	flatten(leaves, "", tree)
	for _, name := range slices.Sorted(maps.Keys(leaves)) {
		l.leaf(name, leaves[name], fmt.Sprintf("%s:%d", path, lineOf(data, name)))
	}
}

func tomlError(err error) string {
	var p toml.ParseError
	if errors.As(err, &p) {
		return fmt.Sprintf("line %d: %s", p.Position.Line, p.Message)
	}
	return err.Error()
}

// leaf applies one "name = value" of the file.
func (l *loader) leaf(name string, v any, source string) {
	texts, err := textsOf(v)
	if err != nil {
		l.problem(name, err.Error(), source)
		return
	}
	if knobName, ok := strings.CutPrefix(name, "knobs."); ok {
		l.knob(knobName, strings.Join(texts, ","), source)
		return
	}
	for i := range l.keys {
		if l.keys[i].name == name {
			l.set(&l.keys[i], texts, source)
			return
		}
	}
	l.problem("", fmt.Sprintf("there is no key %q%s", name, l.didYouMean(name)), source)
}

func (l *loader) didYouMean(name string) string {
	names := make([]string, len(l.keys))
	for i, k := range l.keys {
		names[i] = k.name
		if strings.HasPrefix(k.name, name+".") { // auth = "jwt" for auth.mode
			return "; did you mean " + k.name + "?"
		}
	}
	if near := knob.Closest(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; pushd --help lists them all"
}

// flatten turns nested tables into dotted names.
func flatten(into map[string]any, prefix string, tree map[string]any) {
	for k, v := range tree {
		if sub, ok := v.(map[string]any); ok {
			flatten(into, prefix+k+".", sub)
			continue
		}
		into[prefix+k] = v
	}
}

func textsOf(v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case int64, float64, bool:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		texts := []string{}
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("a list of strings is expected, %v is none", item)
			}
			texts = append(texts, s)
		}
		return texts, nil
	}
	return nil, fmt.Errorf("a %T has no place here", v)
}

// lineOf finds the line that sets a dotted name; 0 if it is written in a way
// that this simple reader does not follow (multi-line and inline tables).
func lineOf(data []byte, name string) int {
	table := ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if head, ok := strings.CutPrefix(line, "["); ok {
			head, _, _ = strings.Cut(head, "]")
			table = dotted(head) + "."
			continue
		}
		if left, _, ok := strings.Cut(line, "="); ok && strings.TrimPrefix(table+dotted(left), ".") == name {
			return n
		}
	}
	return 0
}

// dotted removes the blanks and quotes of a TOML key.
func dotted(key string) string {
	return strings.NewReplacer(" ", "", "\t", "", `"`, "", "'", "").Replace(key)
}
