package agent

import (
	"maps"
	"slices"

	"pushfleet/internal/guard"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// Check tries values in the registry, with everything else as it is, and the
// guard on the figures of now. Knobs of other builds are none of its business.
func (h handler) Check(c keeperapi.Check) keeperapi.Checked {
	out := keeperapi.Checked{ID: c.ID}
	set := map[string]string{}
	for name, text := range c.Values {
		if !h.own.declares(name) {
			continue
		}
		if text == "" {
			text = h.own.base[name].Value
		}
		set[name] = text
	}
	_, err := h.cfg.Registry.Apply(knob.Txn{Set: set, DryRun: true})
	for _, e := range problems(err) {
		r := keeperapi.Refusal{Node: h.cfg.ID, Reason: reasonOf(e)}
		if k, ok := e.(*knob.Error); ok {
			r.Knob = k.Knob
		}
		out.Refused = append(out.Refused, r)
	}
	if why := h.judgeGuard(c.Guard); why != "" {
		out.Refused = append(out.Refused, keeperapi.Refusal{Node: h.cfg.ID, Reason: why})
	}
	return out
}

// problems takes a joined error apart.
func problems(err error) []error {
	switch e := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return []error{err}
}

// judgeGuard returns why the node would not take a guard, "" if it would.
func (a *Agent) judgeGuard(text string) string {
	if text == "" {
		return ""
	}
	e, err := guard.Parse(text)
	if err != nil {
		return reasonOf(err)
	}
	figures := a.figures()
	if err := e.Check(slices.Collect(maps.Keys(figures))); err != nil {
		return reasonOf(err)
	}
	if o := e.Eval(figures); !o.Holds {
		return "the guard does not hold already: " + o.Figures
	}
	return ""
}
