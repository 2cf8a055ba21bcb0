package agent

import (
	"slices"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// own is the node as it would be without keepers: its knobs and the values of
// its configuration, which are the defaults that keepers are told.
type own struct {
	base    map[string]knob.State
	schema  keeperapi.Schema
	hash    string
	atStart map[string]string // of knobs that act after a restart, what this process began with
}

func ownOf(r *knob.Registry) own {
	o := own{base: map[string]knob.State{}, atStart: map[string]string{}}
	for _, s := range r.List() {
		o.base[s.Name] = s
		o.schema = append(o.schema, keeperapi.Decl{Name: s.Name, Type: s.Type, Unit: s.Unit, Help: s.Help,
			Default: s.Value, Min: s.Min, Max: s.Max, Values: s.Values, Risk: s.Risk.String(), Acts: s.Acts.String()})
	}
	o.hash = o.schema.Hash()
	return o
}

// begin notes what the process begins with.
func (o *own) begin(r *knob.Registry) {
	for _, s := range r.List() {
		if s.Acts == knob.Restart {
			o.atStart[s.Name] = s.Value
		}
	}
}

func (o *own) declares(name string) bool {
	_, ok := o.base[name]
	return ok
}

// print brings a text of a keeper into the form that the registry prints. One
// that is no value stays as it is; the registry will refuse it.
func (o *own) print(name, text string) string {
	s, ok := o.base[name]
	if !ok || text == "" {
		return text
	}
	if printed, err := knob.Canonical(knob.FormOf(s), text); err == nil {
		return printed
	}
	return text
}

// printed returns a copy of h with texts as the registry prints them.
func (o *own) printed(name string, h *keeperapi.Held) *keeperapi.Held {
	if h == nil {
		return nil
	}
	c := *h
	c.Value = o.print(name, h.Value)
	c.Then, c.ElseThen = o.printedLater(name, h.Then), o.printedLater(name, h.ElseThen)
	if h.Else != nil {
		c.Else = new(*h.Else)
		c.Else.Value = o.print(name, c.Else.Value)
	}
	return &c
}

func (o *own) printedLater(name string, then []keeperapi.Later) []keeperapi.Later {
	then = slices.Clone(then)
	for i := range then {
		then[i].Value = o.print(name, then[i].Value)
	}
	return then
}

// text is what a stand means on this node, with where it comes from.
func (o *own) text(name string, c *chain, s stand) (string, knob.Origin) {
	if s.layer == keeperapi.LayerDefault {
		base := o.base[name]
		return base.Value, knob.Origin{Source: base.Source, Why: base.Why}
	}
	return s.text, c.origin(s)
}
