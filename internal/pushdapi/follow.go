package pushdapi

import (
	"fmt"
	"time"
)

// Follow is how a node's knobs follow the keepers.
type Follow struct {
	// Mode is "off" (nobody is followed), "embedded" (the keeper inside this
	// process) or "keepers".
	Mode      string  `json:"mode"`
	Revision  uint64  `json:"revision"` // of the fleet that is in force; 0 = none yet
	Connected bool    `json:"connected"`
	Leader    string  `json:"leader,omitempty"` // name of the member, the last known one if not connected
	Since     float64 `json:"since_seconds"`    // for how long Connected has been as it is
	// Drift are knobs that differ from what the keepers want.
	Drift []KnobDrift `json:"drift,omitempty"`
}

// The modes of Follow.
const (
	FollowOff      = "off"
	FollowEmbedded = "embedded"
	FollowKeepers  = "keepers"
)

// KnobDrift is one knob that differs from what the keepers want.
type KnobDrift struct {
	Knob   string `json:"knob"`
	Want   string `json:"want"`
	Have   string `json:"have"`
	Reason string `json:"reason"` // guard, local, nacked, behind, restart, crash, silent
}

// Knobs says in a few words where the knobs of a node stand: "r418 (current)",
// "r418 (keepers silent for 12s)", "r418 (2 differ)"; without keepers the
// number of local changes, "r7".
func (s *Stats) Knobs() string {
	f := &s.Follow
	if f.Mode == FollowOff || f.Mode == "" {
		return fmt.Sprintf("r%d", s.KnobRevision)
	}
	said := "current"
	switch {
	case !f.Connected:
		said = "keepers silent for " + time.Duration(f.Since*float64(time.Second)).Round(time.Second).String()
	case len(f.Drift) > 0:
		said = fmt.Sprintf("%d differ", len(f.Drift))
	}
	return fmt.Sprintf("r%d (%s)", f.Revision, said)
}
