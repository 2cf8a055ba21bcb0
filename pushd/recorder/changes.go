package recorder

import (
	"pushfleet/internal/knob"
	"pushfleet/internal/record"
)

// changes finds knobs that changed between two records.
type changes struct {
	registry *knob.Registry
	revision uint64
	values   map[string]string
}

func newChanges(r *knob.Registry) *changes {
	c := &changes{registry: r, revision: r.Revision(), values: map[string]string{}}
	for _, k := range r.List() {
		c.values[k.Name] = k.Value
	}
	return c
}

// since returns a mark for each knob that has another value than last time.
func (c *changes) since(now int64) (marks []*record.Mark) {
	revision := c.registry.Revision()
	if revision == c.revision {
		return nil
	}
	c.revision = revision
	for _, k := range c.registry.List() {
		was := c.values[k.Name]
		if k.Value == was {
			continue
		}
		c.values[k.Name] = k.Value
		at := now
		if ms := k.At.UnixMilli(); !k.At.IsZero() && ms <= now {
			at = ms
		}
		text := k.Name + " " + was + " → " + shown(k) + " (" + k.Source
		if k.Why != "" {
			text += ": " + k.Why
		}
		marks = append(marks, &record.Mark{At: at, Kind: record.MarkKnob, Text: text + ")"})
	}
	return marks
}

// shown is a value with its unit.
func shown(k knob.State) string {
	if k.Unit == "" {
		return k.Value
	}
	return k.Value + " " + k.Unit
}
