package keeperapi

import "slices"

// Kind says what happened.
type Kind string

// The kinds. Those of the first block change what nodes hold.
const (
	KindSet           Kind = "set"
	KindUnset         Kind = "unset"
	KindExpired       Kind = "expired"
	KindRollback      Kind = "rollback"
	KindRolloutStep   Kind = "rollout_step"
	KindRolloutDone   Kind = "rollout_done"
	KindRolloutAbort  Kind = "rollout_abort"
	KindRolloutBroke  Kind = "rollout_broke"
	KindRolloutExpire Kind = "rollout_expired"

	KindFreeze       Kind = "freeze"
	KindThaw         Kind = "thaw"
	KindNodeJoined   Kind = "node_joined"
	KindNodeLeft     Kind = "node_left"
	KindNodeDead     Kind = "node_dead"
	KindNodeAlive    Kind = "node_alive"
	KindNodeHealth   Kind = "node_health"
	KindNodeNacked   Kind = "node_nacked"
	KindTokenAdded   Kind = "token_added"
	KindTokenRemoved Kind = "token_removed"
	KindLimits       Kind = "limits"
)

// Event is one thing that changed. All events of one command share a revision.
type Event struct {
	Revision uint64 `json:"revision"`
	Kind     Kind   `json:"kind"`
	At       Time   `json:"at_ms"`
	Knob     string `json:"knob,omitempty"`
	Scope    Scope  `json:"scope,omitempty"`
	Old      string `json:"old,omitempty"`
	Value    string `json:"value,omitempty"` // now; also a node's health, a nack's reason
	Deadline Time   `json:"deadline_ms,omitempty"`
	Node     string `json:"node,omitempty"`
	Rollout  string `json:"rollout,omitempty"`
	// Nodes are those that gain or lose a canary value; All means everyone
	// in the rollout's scope, which Scope then names.
	Nodes []string `json:"nodes,omitempty"`
	All   bool     `json:"all,omitempty"`
	Who   string   `json:"who,omitempty"`
	Why   string   `json:"why,omitempty"`
}

// ChangesValues tells whether nodes may hold something else after the event.
func (e *Event) ChangesValues() bool {
	switch e.Kind {
	case KindSet, KindUnset, KindExpired, KindRollback, KindRolloutStep,
		KindRolloutDone, KindRolloutAbort, KindRolloutBroke, KindRolloutExpire:
		return true
	}
	return false
}

// Touches tells whether the event may change what a node with this id and
// these labels holds.
func (e *Event) Touches(id string, labels map[string]string) bool {
	if !e.ChangesValues() {
		return false
	}
	if e.Rollout == "" || e.All {
		return e.Scope.Covers(id, labels)
	}
	return slices.Contains(e.Nodes, id)
}
