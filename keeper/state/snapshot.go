package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"pushfleet/internal/keeperapi"
)

// format is that of the snapshots this build writes.
const format = 1

// image is a snapshot: JSON, in which maps are sorted, so that one state has
// one form. Derived fields and the ring of events are left out.
type image struct {
	Format   int                                             `json:"format"`
	Revision uint64                                          `json:"revision"`
	Values   uint64                                          `json:"values_revision"`
	Limits   keeperapi.Limits                                `json:"limits"`
	Schemas  map[string]keeperapi.Schema                     `json:"schemas,omitempty"`
	Nodes    map[string]*keeperapi.Node                      `json:"nodes,omitempty"`
	Scopes   map[keeperapi.Scope]map[string]*keeperapi.Value `json:"scopes,omitempty"`
	History  map[string]*history                             `json:"history,omitempty"`
	Freezes  map[string]*keeperapi.Freeze                    `json:"freezes,omitempty"`
	Rollouts []keeperapi.Rollout                             `json:"rollouts,omitempty"`
	Tokens   map[string]*keeperapi.Token                     `json:"tokens,omitempty"`
	Audit    []keeperapi.Audit                               `json:"audit,omitempty"`
	Answers  []*answer                                       `json:"answers,omitempty"`
}

// Snapshot returns the whole state; equal states have equal bytes.
func (s *State) Snapshot() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := image{Format: format, Revision: s.revision, Values: s.values, Limits: s.limits,
		Schemas: make(map[string]keeperapi.Schema, len(s.schemas)), Nodes: s.nodes, Scopes: s.scopes,
		History: s.history, Freezes: s.freezes, Tokens: s.tokens, Audit: s.audit, Answers: s.answers}
	for hash, sc := range s.schemas {
		i.Schemas[hash] = sc.decls
	}
	for _, r := range s.started {
		i.Rollouts = append(i.Rollouts, r.Rollout)
	}
	b, err := json.Marshal(&i)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return b, nil
}

// Restore replaces the state by a snapshot. With an error it is as before.
func (s *State) Restore(snapshot []byte) error {
	var i image
	if err := json.Unmarshal(snapshot, &i); err != nil {
		return fmt.Errorf("read snapshot: %w; restore an older one", err)
	}
	if i.Format != format {
		return fmt.Errorf("snapshot of format %d, this keeper reads %d: run the build that wrote it", i.Format, format)
	}
	fresh := New()
	if err := fresh.take(&i); err != nil {
		return fmt.Errorf("read snapshot: %w; restore an older one", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopt(fresh)
	return nil
}

// adopt makes the content of another state, which is then no longer used, that
// of s.
func (s *State) adopt(o *State) {
	s.revision, s.values, s.limits, s.count = o.revision, o.values, o.limits, o.count
	s.nodes, s.schemas, s.scopes, s.ending = o.nodes, o.schemas, o.scopes, o.ending
	s.history, s.freezes = o.history, o.freezes
	s.rollouts, s.started, s.running = o.rollouts, o.started, o.running
	s.tokens, s.hashes, s.audit = o.tokens, o.hashes, o.audit
	s.answers, s.answered, s.ring = o.answers, o.answered, o.ring
}

var errDamaged = errors.New("it contradicts itself")

// take fills an empty state and derives the rest.
func (s *State) take(i *image) error {
	s.revision, s.values, s.limits = i.Revision, i.Values, i.Limits
	s.ring.floor = i.Revision
	for hash, defs := range i.Schemas {
		sc, no := readSchema(defs)
		if no != nil {
			return no
		}
		s.schemas[hash] = sc
	}
	for id, n := range i.Nodes {
		if n == nil || n.ID != id || n.Schema != "" && s.schemas[n.Schema] == nil {
			return errDamaged
		}
		if n.Schema != "" {
			s.schemas[n.Schema].users++
		}
		s.nodes[id] = n
	}
	for scope, knobs := range i.Scopes {
		for knob, v := range knobs {
			if v == nil {
				return errDamaged
			}
			s.put(place{scope, knob}, v)
		}
	}
	for knob, h := range i.History {
		if h == nil {
			return errDamaged
		}
		s.history[knob] = h
	}
	if !takeNamed(s.freezes, i.Freezes, func(f *keeperapi.Freeze) string { return f.Knob }) ||
		!takeNamed(s.tokens, i.Tokens, func(t *keeperapi.Token) string { return t.Name }) {
		return errDamaged
	}
	for _, t := range s.tokens {
		s.hashes[t.Hash] = t
	}
	s.audit = i.Audit
	return s.takeRest(i)
}

func (s *State) takeRest(i *image) error {
	for _, one := range i.Rollouts {
		r := &rollout{Rollout: one}
		if s.rollouts[r.ID] != nil || r.Step < 0 || r.Step >= len(r.Steps) {
			return errDamaged
		}
		r.read()
		s.rollouts[r.ID] = r
		s.started = append(s.started, r)
		if r.Phase == keeperapi.PhaseRunning {
			s.running = append(s.running, r)
		}
	}
	for _, a := range i.Answers {
		if a == nil || s.answered[a.ID] != nil {
			return errDamaged
		}
		s.answers = append(s.answers, a)
		s.answered[a.ID] = a
	}
	return nil
}

// takeNamed copies a table whose entries carry their own name.
func takeNamed[T any](to, from map[string]*T, name func(*T) string) bool {
	for key, v := range from {
		if v == nil || name(v) != key {
			return false
		}
	}
	maps.Copy(to, from)
	return true
}

func (s *State) copyScopes() map[keeperapi.Scope]map[string]*keeperapi.Value {
	out := make(map[keeperapi.Scope]map[string]*keeperapi.Value, len(s.scopes))
	for scope, knobs := range s.scopes {
		out[scope] = maps.Clone(knobs)
	}
	return out
}
