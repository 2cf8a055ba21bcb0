package keeperapi

// RolloutStart begins to change a scope step by step. The first step is taken
// at once. Steps are counts ("1"), shares ("5%") and last "all"; a share is
// rounded down, but never to nobody.
type RolloutStart struct {
	Changes []Assign `json:"changes"` // one scope, no unset
	Steps   []string `json:"steps"`
	SoakMS  int64    `json:"soak_ms"` // between steps and after the last
	Guard   string   `json:"guard,omitempty"`
	ForMS   int64    `json:"for_ms,omitempty"`
	IfRev   *uint64  `json:"if_rev,omitempty"`
}

// RolloutMove advances a rollout or ends it.
type RolloutMove struct {
	Rollout string `json:"rollout"`
	// Step is the number of the step to take, from 0: one more than the
	// current. One past the last makes the values those of the scope.
	Step int `json:"step,omitempty"`
	// Force advances before the soak time is over.
	Force bool `json:"force,omitempty"`
	// Node and Figures say where and how a guard broke.
	Node    string `json:"node,omitempty"`
	Figures string `json:"figures,omitempty"`
}

// Phase is where a rollout stands.
type Phase string

// The phases.
const (
	PhaseRunning Phase = "running"
	PhaseDone    Phase = "done"    // the values are those of the scope
	PhaseAborted Phase = "aborted" // by a person
	PhaseBroke   Phase = "broke"   // by its guard
	PhaseExpired Phase = "expired" // its deadline came first
)

// Rollout is one plan and how far it has come.
type Rollout struct {
	ID       string            `json:"id"`
	Phase    Phase             `json:"phase"`
	Scope    Scope             `json:"scope"`
	Values   map[string]string `json:"values"` // by knob
	Steps    []string          `json:"steps"`
	Step     int               `json:"step"`
	Nodes    []string          `json:"nodes,omitempty"` // reached so far, in order of choice
	All      bool              `json:"all,omitempty"`   // reached the whole scope, whoever joins
	Of       int               `json:"of"`              // nodes in scope when the step was taken
	SoakMS   int64             `json:"soak_ms"`
	Guard    string            `json:"guard,omitempty"`
	Deadline Time              `json:"deadline_ms,omitempty"`
	Revision uint64            `json:"revision"` // of the start
	StepAt   Time              `json:"step_at_ms"`
	Started  Time              `json:"started_ms"`
	Who      string            `json:"who,omitempty"`
	Why      string            `json:"why,omitempty"`
	From     string            `json:"from,omitempty"`
	EndedBy  string            `json:"ended_by,omitempty"`
	EndWhy   string            `json:"end_why,omitempty"`
	EndedAt  Time              `json:"ended_ms,omitempty"`
}

// SoakedAt is when the current step may be followed by the next.
func (r *Rollout) SoakedAt() Time { return r.StepAt + Time(r.SoakMS) }
