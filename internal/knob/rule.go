package knob

import "time"

// Values are the values as they would be after a transaction. A rule must ask
// these and not the handles.
type Values struct{ after map[*declared]int64 }

func (v Values) bits(c *cell) int64 {
	if b, ok := v.after[c.k]; ok {
		return b
	}
	return c.bits.Load()
}

// Int returns the value that h would have.
func (v Values) Int(h *Int) int64 { return v.bits(&h.cell) }

// Duration returns the value that h would have.
func (v Values) Duration(h *Duration) time.Duration { return time.Duration(v.bits(&h.cell)) }

// Float returns the value that h would have.
func (v Values) Float(h *Float) float64 { return ffrom(v.bits(&h.cell)) }

// Bool returns the value that h would have.
func (v Values) Bool(h *Bool) bool { return v.bits(&h.cell) != 0 }

// Enum returns the index that h would have.
func (v Values) Enum(h *Enum) int { return int(v.bits(&h.cell)) }

type rule struct {
	sentence string
	holds    func(Values) bool
}

// Constrain adds a rule over several knobs, checked before each change. The
// sentence is the error when it does not hold, so it names the knobs:
// "heartbeat.ping must be shorter than heartbeat.timeout". It panics when the
// values in force break the rule, which at declaration are the defaults.
func (r *Registry) Constrain(sentence string, holds func(Values) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !holds(Values{}) {
		panic("knob defaults break the rule: " + sentence)
	}
	r.rules = append(r.rules, rule{sentence, holds})
}

// broken returns an error per rule that the edits would break; it needs r.mu.
func (r *Registry) broken(edits []edit) []error {
	v := Values{after: make(map[*declared]int64, len(edits))}
	for _, e := range edits {
		v.after[e.k] = e.bits
	}
	var problems []error
	for _, rule := range r.rules {
		if !rule.holds(v) {
			problems = append(problems, brokenRule(rule.sentence, edits))
		}
	}
	return problems
}
