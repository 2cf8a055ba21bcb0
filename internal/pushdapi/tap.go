package pushdapi

import "time"

// ShadowCuts are the ways out of a node that a shadow closes; words of
// Stats.ShadowCut.
func ShadowCuts() []string { return []string{CutUplink} }

// CutUplink is what clients send to the back end.
const CutUplink = "uplink"

// Tap is a node's tap: whether a tee reads it, and its books since that tee,
// or the last one, began. For each kind of record Seen = Sent + Dropped.
type Tap struct {
	ID          string            `json:"id,omitempty"` // of the tee: StopTeeID ends that one only
	Active      bool              `json:"active"`
	Since       time.Time         `json:"since,omitzero"`
	To          string            `json:"to,omitempty"` // who reads
	Asked       float64           `json:"asked_percent"`
	Sample      float64           `json:"sample_percent"` // mirrored now: knob and budgets may have made it smaller
	Redact      string            `json:"redact,omitempty"`
	Connections int64             `json:"connections"`          // mirrored now
	Joining     bool              `json:"joining"`              // open connections are still being added
	Joined      uint64            `json:"joined"`               // of those that were open before
	Torn        uint64            `json:"torn"`                 // left the sample with a hole
	Seen        map[string]uint64 `json:"seen,omitempty"`       // records by kind
	Sent        map[string]uint64 `json:"sent,omitempty"`       // by kind
	Dropped     map[string]uint64 `json:"dropped,omitempty"`    // by kind
	DroppedBy   map[string]uint64 `json:"dropped_by,omitempty"` // by reason
	Bytes       uint64            `json:"bytes"`                // handed over
	BufferBytes int64             `json:"buffer_bytes"`         // waiting to be handed over
	CPUSeconds  float64           `json:"cpu_seconds"`          // estimated, all of the tee
	CPUPercent  float64           `json:"cpu_percent"`          // of one core, over the last second
	EndedAt     time.Time         `json:"ended_at,omitzero"`    // of the last tee
	EndReason   string            `json:"end_reason,omitempty"` // one word
	EndDetail   string            `json:"end_detail,omitempty"` // a sentence
}
