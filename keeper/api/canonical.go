package api

import (
	"errors"
	"maps"
	"slices"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// declarations returns the different ways in which live builds declare a knob,
// in a fixed order; none is an error with a suggestion.
func (s *Server) declarations(name string) ([]keeperapi.Decl, error) {
	schemas := s.cfg.State.Schemas()
	var out []keeperapi.Decl
	for _, hash := range slices.Sorted(maps.Keys(schemas)) {
		decls := schemas[hash]
		if i, ok := slices.BinarySearchFunc(decls, name, byName); ok {
			out = append(out, decls[i])
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	names := s.cfg.State.Knobs()
	if len(names) == 0 {
		return nil, &keeperapi.Error{Code: keeperapi.CodeUnknownKnob, Knob: name,
			Message: "no node has connected yet, so no knob is known; start one, or see pushctl nodes"}
	}
	e := refuse(keeperapi.CodeUnknownKnob, "no node declares a knob %q; see pushctl knob list", clip(name, 100))
	if near := knob.Closest(name, names); near != "" {
		e = refuse(keeperapi.CodeUnknownKnob, "no node declares a knob %q; did you mean %s?", clip(name, 100), near)
	}
	e.Knob = name
	return nil, e
}

func byName(d keeperapi.Decl, name string) int {
	switch {
	case d.Name < name:
		return -1
	case d.Name > name:
		return 1
	}
	return 0
}

// declaration returns one of them, for texts.
func (s *Server) declaration(name string) (*keeperapi.Decl, error) {
	all, err := s.declarations(name)
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// canonical turns values as people write them into what nodes print, which is
// all that the replicated state reads. Builds may declare other ranges: a value
// passes when one of them takes it, and the state judges for each node.
func (s *Server) canonical(changes []keeperapi.Assign) ([]keeperapi.Assign, error) {
	out := slices.Clone(changes)
	for i, a := range out {
		decls, err := s.declarations(a.Knob)
		if a.Unset {
			continue // what nobody declares any more must be removable
		}
		if err != nil {
			return nil, err
		}
		if out[i].Value, err = canonicalFor(decls, a); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func canonicalFor(decls []keeperapi.Decl, a keeperapi.Assign) (string, error) {
	var first error
	for _, d := range decls {
		text, err := knob.Canonical(knob.Form{Name: d.Name, Type: d.Type, Unit: d.Unit, Default: d.Default,
			Min: d.Min, Max: d.Max, Values: d.Values}, a.Value)
		if err == nil {
			return text, nil
		}
		if first == nil {
			first = err
		}
	}
	code := keeperapi.CodeSyntax
	if e, ok := errors.AsType[*knob.Error](first); ok && e.Code == knob.CodeRange {
		code = keeperapi.CodeRange
	}
	return "", &keeperapi.Error{Code: code, Knob: a.Knob, Message: first.Error()}
}
