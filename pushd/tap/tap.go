// Package tap chooses the connections whose traffic a tee mirrors: whole ones,
// by a hash of their user. Room of ARCHITECTURE.md: imports internal/knob.
package tap

import (
	"math"

	"pushfleet/internal/knob"
)

// Knobs are the hot settings of the tap.
type Knobs struct {
	Sample *knob.Float // percent of users, see In
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{Sample: r.Float(knob.Spec{Name: "tap.sample_percent", Unit: "percent", Risk: knob.Low,
		Help: "Share of users, in steps of 0.01, whose connections are in the tap's sample. A smaller share is part of a larger one, on all nodes alike; open connections are chosen anew within half a heartbeat interval."}, 0, 0, 100)}
}

// steps are what a sample is counted in: hundredths of a percent.
const steps = 10_000

// In tells whether a user is in a sample of percent, which is rounded to 0.01.
// A user who is in a sample is in every larger one. It depends on nothing but
// its arguments, so that all nodes and later runs choose the same users.
func In(user string, percent float64) bool {
	if percent <= 0 {
		return false
	}
	return step(user) < uint64(math.Round(percent*steps/100))
}

// step is the user's place among the steps, by Lemire's multiply-shift: the
// upper half of the hash, scaled.
func step(user string) uint64 { return hash(user) >> 32 * steps >> 32 }

// hash is FNV-1a, finished by the mixer of MurmurHash3: the upper bits of FNV
// alone hardly depend on the last bytes of a short name.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
