package keeperapi

// Limits bound what keepers remember. They are part of the replicated state:
// members that forget at different times would not be the same.
type Limits struct {
	History  int   `json:"history_max"`  // changes remembered per knob
	Audit    int   `json:"audit_max"`    // lines
	IDs      int   `json:"ids_max"`      // idempotency keys with their results
	Events   int   `json:"events_max"`   // for watchers that resume
	Rollouts int   `json:"rollouts_max"` // ended ones remembered
	Nodes    int   `json:"nodes_max"`    //
	Values   int   `json:"values_max"`   // over all scopes
	Tokens   int   `json:"tokens_max"`   //
	ForgetMS int64 `json:"forget_ms"`    // a node dead for longer is forgotten
}

// DefaultLimits are those of a new fleet.
func DefaultLimits() Limits {
	return Limits{History: 100, Audit: 10_000, IDs: 4096, Events: 8192, Rollouts: 100,
		Nodes: 10_000, Values: 500_000, Tokens: 1000, ForgetMS: 7 * 24 * 3600 * 1000}
}
