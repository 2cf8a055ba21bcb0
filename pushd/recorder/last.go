package recorder

import (
	"math"

	"pushfleet/internal/record"
)

// Last returns fields of the last record, counters as they stand, in their
// unit times seconds. What there is not is NaN.
func (r *Recorder) Last(names []string) []float64 {
	out := make([]float64, len(names))
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	for i, name := range names {
		out[i] = math.NaN()
		at := r.second.schema.Index(name)
		if at < 0 || at >= len(r.shared.last) || r.shared.last[at] == record.Missing {
			continue
		}
		out[i] = r.fields[at].Shown(float64(r.shared.last[at]))
	}
	return out
}
