package keeperapi

// Value is what one scope says about one knob, and where it comes from. It is
// never changed once it is kept: a new one takes its place.
type Value struct {
	Value    string `json:"value"`
	Revision uint64 `json:"revision"`
	Who      string `json:"who,omitempty"`
	At       Time   `json:"at_ms"`
	Why      string `json:"why,omitempty"`
	From     string `json:"from,omitempty"`
	Guard    string `json:"guard,omitempty"`
	Rollout  string `json:"rollout,omitempty"` // that made it
	// Deadline ends a temporary value; Before is what then returns in this
	// scope, nil for nothing. Only a temporary value has one.
	Deadline Time   `json:"deadline_ms,omitempty"`
	Before   *Value `json:"before,omitempty"`
	// Under is what the scope said before a value with a Guard: what nodes go
	// back to when it breaks. The values in it have no Under.
	Under *Value `json:"under,omitempty"`
}

// Held is what one node must hold for one knob.
type Held struct {
	Value    string `json:"value"`
	Layer    Layer  `json:"layer"`
	Scope    Scope  `json:"scope"`
	Revision uint64 `json:"revision"`
	Guard    string `json:"guard,omitempty"`
	Rollout  string `json:"rollout,omitempty"`
	Deadline Time   `json:"deadline_ms,omitempty"`
	// Then is what follows, each from the Deadline of the one before on, so
	// that a node can go back with every keeper dead. The last has no
	// deadline.
	Then []Later `json:"then,omitempty"`
	// Else is what the node goes back to by itself when the Guard breaks, or
	// when a canary's keepers do not answer for too long: what it would hold
	// without this value. Only with a Guard or in the canary layer.
	Else *Later `json:"else,omitempty"`
	// ElseThen follows Else as Then follows the value.
	ElseThen []Later `json:"else_then,omitempty"`
}

// Later is what a knob will hold once something has expired. With the layer
// default Value is empty: the node knows its own.
type Later struct {
	Value    string `json:"value,omitempty"`
	Layer    Layer  `json:"layer"`
	Scope    Scope  `json:"scope,omitempty"`
	Deadline Time   `json:"deadline_ms,omitempty"`
}

// Effective is all that a node must hold. A knob that is absent has the
// node's default.
type Effective struct {
	Node     string          `json:"node"`
	Revision uint64          `json:"revision"` // the last that changed a value anywhere: what the node acknowledges
	Position uint64          `json:"position"` // where to resume the stream of events
	Knobs    map[string]Held `json:"knobs"`
}

// Explain says why a node holds what it holds.
type Explain struct {
	Node   string       `json:"node"`
	Knob   string       `json:"knob"`
	Value  string       `json:"value"` // the default when the winner is LayerDefault
	Winner Layer        `json:"winner"`
	Scope  Scope        `json:"scope,omitempty"`
	Layers []LayerValue `json:"layers"` // the weakest first
	Frozen *Freeze      `json:"frozen,omitempty"`
	Decl   *Decl        `json:"decl,omitempty"` // nil if the node does not declare the knob
}

// LayerValue is one layer's say. A node is in several groups, so LayerGroup
// may occur more than once: of these the latest revision wins.
type LayerValue struct {
	Layer Layer `json:"layer"`
	Scope Scope `json:"scope"`
	Wins  bool  `json:"wins,omitempty"`
	Value
}

// Change is one line of a knob's history. Old and New are nil where the scope
// said nothing.
type Change struct {
	Revision uint64 `json:"revision"`
	Kind     Kind   `json:"kind"`
	Scope    Scope  `json:"scope"`
	Old      *Value `json:"old,omitempty"`
	New      *Value `json:"new,omitempty"`
	Who      string `json:"who,omitempty"`
	At       Time   `json:"at_ms"`
	Why      string `json:"why,omitempty"`
	From     string `json:"from,omitempty"`
}

// NodeDiff is what one node would hold otherwise after a change. An empty text
// is the node's default.
type NodeDiff struct {
	Node     string `json:"node"`
	Knob     string `json:"knob"`
	Old      string `json:"old,omitempty"`
	New      string `json:"new,omitempty"`
	OldScope Scope  `json:"old_scope,omitempty"`
	NewScope Scope  `json:"new_scope,omitempty"`
	Deadline Time   `json:"deadline_ms,omitempty"` // of the new one
}
