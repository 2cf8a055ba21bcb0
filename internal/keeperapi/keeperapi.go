// Package keeperapi holds the types that keepers, nodes and pushctl exchange:
// knob values by scope, nodes, transactions, rollouts, events and refusals. A
// type is written once here, whether it travels in a request, a replicated
// command or a stream.
package keeperapi

import (
	"strings"
	"time"
)

// Time is milliseconds since 1970 UTC; 0 means none. A plain number has one
// form, which a replicated state needs, and a leap of the wall clock shows.
type Time int64

// TimeMax is the last moment of the year 9999, the largest Time accepted.
const TimeMax Time = 253402300799999

// TimeOf rounds t down to milliseconds.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Go returns t in UTC, the zero time for 0.
func (t Time) Go() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// Layer is the precedence of a scope, the later the stronger.
type Layer string

// The layers, weakest first.
const (
	LayerDefault Layer = "default" // nobody set anything: what the node declares
	LayerFleet   Layer = "fleet"
	LayerGroup   Layer = "group"
	LayerNode    Layer = "node"
	LayerCanary  Layer = "canary"
)

// Scope says whom a value is for: "fleet", a label as in "app=shop", or one
// node as in "node=gw-3". In events and answers also a rollout's nodes, as in
// "canary=ro419". A node therefore has no label called node or canary.
type Scope string

// Fleet is the scope of every node.
const Fleet Scope = "fleet"

// NodeScope is the scope of one node.
func NodeScope(id string) Scope { return Scope("node=" + id) }

// CanaryScope is the scope of the nodes that a rollout has reached.
func CanaryScope(rollout string) Scope { return Scope("canary=" + rollout) }

// Label splits a scope other than Fleet: app and shop, or node and gw-3.
func (s Scope) Label() (name, value string) {
	name, value, _ = strings.Cut(string(s), "=")
	return name, value
}

// Layer returns where the scope stands; a scope that is no scope is a group.
func (s Scope) Layer() Layer {
	if s == Fleet {
		return LayerFleet
	}
	switch name, _ := s.Label(); name {
	case "node":
		return LayerNode
	case "canary":
		return LayerCanary
	}
	return LayerGroup
}

// Covers tells whether a node with this id and these labels is in the scope. A
// canary scope covers nobody by itself: only the rollout knows its nodes.
func (s Scope) Covers(id string, labels map[string]string) bool {
	switch s.Layer() {
	case LayerFleet:
		return true
	case LayerNode:
		return s == NodeScope(id)
	case LayerCanary:
		return false
	}
	name, value := s.Label()
	have, ok := labels[name]
	return ok && have == value
}

// Above tells whether what l says hides what other says.
func (l Layer) Above(other Layer) bool { return l.rank() > other.rank() }

func (l Layer) rank() int {
	switch l {
	case LayerFleet:
		return 1
	case LayerGroup:
		return 2
	case LayerNode:
		return 3
	case LayerCanary:
		return 4
	}
	return 0
}
