package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"pushfleet/internal/keeperapi"
)

// knobFile is values by scope and knob, as a file of TOML holds them: a table
// for each scope, [fleet] or ["app=shop"].
type knobFile map[keeperapi.Scope]map[string]string

func (k knobFile) put(s keeperapi.Scope, knob, value string) {
	if k[s] == nil {
		k[s] = map[string]string{}
	}
	k[s][knob] = value
}

// scopes lists the fleet first, then labels, then nodes.
func (k knobFile) scopes() []keeperapi.Scope {
	rank := map[keeperapi.Layer]int{keeperapi.LayerFleet: 0, keeperapi.LayerGroup: 1, keeperapi.LayerNode: 2}
	return slices.SortedFunc(maps.Keys(k), func(a, b keeperapi.Scope) int {
		return cmp.Or(cmp.Compare(rank[a.Layer()], rank[b.Layer()]), cmp.Compare(a, b))
	})
}

// lasting are the values that stay: of a temporary one what it returns to, and
// nothing of rollouts.
func lasting(ks []keeperapi.KnobInfo) knobFile {
	file := knobFile{}
	for i := range ks {
		for j := range ks[i].Values {
			sv := &ks[i].Values[j]
			v := &sv.Value
			for v != nil && v.Deadline != 0 {
				v = v.Before
			}
			if v != nil && sv.Scope.Layer() != keeperapi.LayerCanary {
				file.put(sv.Scope, ks[i].Name, v.Value)
			}
		}
	}
	return file
}

// changes leads from one file to another; what only the first names is unset
// if prune is set.
func (k knobFile) changes(to knobFile, prune bool) []keeperapi.Assign {
	var out []keeperapi.Assign
	for _, s := range to.scopes() {
		for _, knob := range slices.Sorted(maps.Keys(to[s])) {
			if have, ok := k[s][knob]; !ok || have != to[s][knob] {
				out = append(out, keeperapi.Assign{Knob: knob, Scope: s, Value: to[s][knob]})
			}
		}
	}
	if !prune {
		return out
	}
	for _, s := range k.scopes() {
		for _, knob := range slices.Sorted(maps.Keys(k[s])) {
			if _, ok := to[s][knob]; !ok {
				out = append(out, keeperapi.Assign{Knob: knob, Scope: s, Unset: true})
			}
		}
	}
	return out
}

// encode writes the file in a stable order.
func (k knobFile) encode() string {
	var b strings.Builder
	for i, s := range k.scopes() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%s]\n", tomlKey(string(s)))
		names := slices.Sorted(maps.Keys(k[s]))
		for _, knob := range names {
			fmt.Fprintf(&b, "%s = %s\n", knobKey(knob, names), tomlValue(k[s][knob]))
		}
	}
	return b.String()
}

// knobKey writes a.b without quotes, unless another knob is called a or a.b.c:
// then one would be a table and a value at once.
func knobKey(knob string, sorted []string) string {
	for _, other := range sorted {
		if strings.HasPrefix(other, knob+".") || strings.HasPrefix(knob, other+".") {
			return quote(knob)
		}
	}
	for part := range strings.SplitSeq(knob, ".") {
		if !isBare(part) {
			return quote(knob)
		}
	}
	return knob
}

func tomlKey(s string) string {
	if isBare(s) {
		return s
	}
	return quote(s)
}

func isBare(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// tomlValue writes whole numbers bare and all else as a string; both read back
// to the same text.
func tomlValue(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return s
	}
	return quote(s)
}

// quote writes a basic string: the escapes of JSON are among those of TOML.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		panic(err)
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007F`)
}

// decodeKnobs reads a file. Names may be dotted, quoted or tables.
func decodeKnobs(text string) (knobFile, error) {
	var raw map[string]any
	if _, err := toml.Decode(text, &raw); err != nil {
		if p, ok := err.(toml.ParseError); ok {
			return nil, fmt.Errorf("line %d: %s", p.Position.Line, p.Message)
		}
		return nil, err
	}
	file := knobFile{}
	for _, scope := range slices.Sorted(maps.Keys(raw)) {
		knobs, ok := raw[scope].(map[string]any)
		if !ok || scope != string(keeperapi.Fleet) && !strings.Contains(scope, "=") {
			return nil, fmt.Errorf("%s is no scope: put values below [fleet], [\"app=shop\"] or [\"node=gw-3\"]", scope)
		}
		if err := file.fill(keeperapi.Scope(scope), "", knobs); err != nil {
			return nil, err
		}
	}
	return file, nil
}

// fill takes in a table and those below it.
func (k knobFile) fill(s keeperapi.Scope, prefix string, in map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		name := prefix + key
		if below, ok := in[key].(map[string]any); ok {
			if err := k.fill(s, name+".", below); err != nil {
				return err
			}
			continue
		}
		text, err := valueText(in[key])
		if err != nil {
			return fmt.Errorf("%s in [%s]: %w", name, s, err)
		}
		if _, twice := k[s][name]; twice {
			return fmt.Errorf("%s occurs twice in [%s]: leave one", name, s)
		}
		k.put(s, name, text)
	}
	return nil
}

func valueText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case bool:
		if v {
			return "on", nil
		}
		return "off", nil
	}
	return "", fmt.Errorf("is no value: write a number or a text such as \"64KiB\"")
}

// lastChange is a revision that no knob changed after, when they were read:
// what a compare-and-set of all of them asks for.
func lastChange(ks []keeperapi.KnobInfo) uint64 {
	var last uint64
	for i := range ks {
		last = max(last, ks[i].Last)
	}
	return last
}

// deltasOf says what assignments change, for the screen.
func deltasOf(as []keeperapi.Assign, from knobFile, ks []keeperapi.KnobInfo) []keeperapi.Delta {
	decls := map[string]*keeperapi.Decl{}
	for i := range ks {
		decls[ks[i].Name] = &ks[i].Decl
	}
	var out []keeperapi.Delta
	for _, a := range as {
		d := keeperapi.Delta{Knob: a.Knob, Scope: a.Scope, Old: from[a.Scope][a.Knob], New: a.Value}
		if decl := decls[a.Knob]; decl != nil {
			d.Acts, d.Risk = decl.Acts, decl.Risk
			if decl.Type == "int" {
				d.Unit = decl.Unit
			}
		}
		out = append(out, d)
	}
	return out
}
