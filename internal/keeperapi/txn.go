package keeperapi

// Txn changes several knobs, all or none, at one revision.
type Txn struct {
	Changes []Assign `json:"changes"`
	// ForMS makes every value temporary: it ends so many milliseconds after
	// the leader took the command. 0 means for good.
	ForMS int64  `json:"for_ms,omitempty"`
	Guard string `json:"guard,omitempty"` // for the nodes; not read here
	// IfRev refuses the transaction when one of its knobs changed, in any
	// scope, after that revision. nil does not ask, 0 means never changed.
	IfRev *uint64 `json:"if_rev,omitempty"`
	// NowAll breaks the glass: a freeze does not hold, rollouts of these
	// knobs are aborted. It needs a reason.
	NowAll bool `json:"now_all,omitempty"`
}

// Assign sets or unsets one knob in one scope.
type Assign struct {
	Knob  string `json:"knob"`
	Scope Scope  `json:"scope"`
	Value string `json:"value,omitempty"`
	Unset bool   `json:"unset,omitempty"`
}

// Rollback makes every value what it was at a revision, by a new revision.
// Temporary values whose time has passed since stay away.
type Rollback struct {
	To     uint64   `json:"to"`
	Knobs  []string `json:"knobs,omitempty"` // empty: all that changed since
	IfRev  *uint64  `json:"if_rev,omitempty"`
	NowAll bool     `json:"now_all,omitempty"`
}

// AllKnobs freezes everything.
const AllKnobs = "*"

// FreezeSet freezes or thaws a knob, or AllKnobs. It needs a reason to freeze.
type FreezeSet struct {
	Knob string `json:"knob"`
	Off  bool   `json:"off,omitempty"`
}

// Freeze says who holds a knob still.
type Freeze struct {
	Knob string `json:"knob"`
	Who  string `json:"who,omitempty"`
	At   Time   `json:"at_ms"`
	Why  string `json:"why"`
	From string `json:"from,omitempty"`
}
