package node

import (
	"sync"

	"pushfleet/internal/knob"
)

// changed counts the knobs that are not as the node started with. On a shadow
// they are what an experiment has not put back.
type changed struct {
	start map[string]string // static once taken

	mu       sync.Mutex
	revision uint64 // that n is of
	n        int
}

// take remembers how knobs are.
func (c *changed) take(r *knob.Registry) {
	c.start = map[string]string{}
	for _, k := range r.List() {
		c.start[k.Name] = k.Value
	}
	c.revision = r.Revision()
}

// count looks at the knobs if one was turned since the last look.
func (c *changed) count(r *knob.Registry) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := r.Revision() // before the values: a change meanwhile is looked at again
	if now == c.revision {
		return c.n
	}
	c.n, c.revision = 0, now
	for _, k := range r.List() {
		if was, ok := c.start[k.Name]; ok && was != k.Value {
			c.n++
		}
	}
	return c.n
}
