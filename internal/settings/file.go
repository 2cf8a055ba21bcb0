package settings

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
func (l *loader[C]) file(path string, optional bool) {
	data, err := l.readFile(path)
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			l.problem(flagConfig, err.Error(), l.sources.Source(flagConfig))
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
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Sprintf("line %d: %s", p.Position.Line, p.Message)
	}
	return err.Error()
}

// leaf applies one "name = value" of the file.
func (l *loader[C]) leaf(name string, v any, source string) {
	texts, err := textsOf(v)
	if err != nil {
		l.problem(name, err.Error(), source)
		return
	}
	if l.Pairs != nil {
		if pair, ok := strings.CutPrefix(name, l.Pairs.Table+"."); ok {
			l.pair(pair, strings.Join(texts, ","), source)
			return
		}
	}
	for i := range l.Keys {
		if k := &l.Keys[i]; k.Name == name && !k.FlagOnly {
			l.set(k, texts, source)
			return
		}
	}
	l.problem("", fmt.Sprintf("there is no key %q%s", name, l.didYouMean(name)), source)
}

func (l *loader[C]) didYouMean(name string) string {
	var names []string
	for _, k := range l.Keys {
		if k.FlagOnly {
			continue
		}
		names = append(names, k.Name)
		if strings.HasPrefix(k.Name, name+".") { // auth = "jwt" for auth.mode
			return "; did you mean " + k.Name + "?"
		}
	}
	if near := knob.Closest(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; " + l.hint() + " lists them all"
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
