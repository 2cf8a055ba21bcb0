package admin

import (
	"errors"
	"net/http"
	"strings"

	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
)

// WhyMax bounds the reason given for a change, in bytes.
const WhyMax = 1 << 10

func (a *API) knobs(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	states := a.c.Knobs.List()
	out := make([]pushdapi.Knob, len(states))
	for i := range states {
		out[i] = knobOf(&states[i])
	}
	return out, nil
}

func (a *API) knob(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	s, err := a.c.Knobs.Get(r.PathValue("name"))
	if err != nil {
		return nil, knobError(err)
	}
	return knobOf(&s), nil
}

func (a *API) setKnob(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	var s pushdapi.KnobSet
	if err := body(r, &s); err != nil {
		return nil, err
	}
	if s.Value == "" {
		return nil, badBody(`field "value" is missing or empty; send it as a string, as in {"value":"1024"}`)
	}
	if len(s.Why) > WhyMax {
		return nil, badBody(`field "why" is longer than %d bytes; shorten it`, WhyMax)
	}
	name := r.PathValue("name")
	changes, err := a.c.Knobs.Apply(knob.Txn{Set: map[string]string{name: s.Value},
		Source: "admin", Why: s.Why, IfRev: s.IfRev, DryRun: s.DryRun})
	if err != nil {
		return nil, knobError(err)
	}
	c := changes[0]
	if !s.DryRun {
		a.c.Log.Info("knob set", "knob", c.Name, "old", c.Old, "new", c.New,
			"revision", c.Revision, "why", s.Why, "from", r.RemoteAddr)
	}
	return pushdapi.KnobChange{Name: c.Name, Old: c.Old, New: c.New, Acts: c.Acts.String(),
		Revision: c.Revision, DryRun: s.DryRun}, nil
}

func knobOf(s *knob.State) pushdapi.Knob {
	return pushdapi.Knob{Name: s.Name, Type: s.Type, Unit: s.Unit, Value: s.Value, Default: s.Default,
		Min: s.Min, Max: s.Max, Values: s.Values, Acts: s.Acts.String(), Risk: s.Risk.String(),
		Help: s.Help, Source: s.Source, At: s.At, Why: s.Why}
}

// knobError keeps the registry's words: they name the knob, what is allowed
// and what was meant.
func knobError(err error) error {
	e, ok := errors.AsType[*knob.Error](err)
	if !ok {
		return err
	}
	status := http.StatusBadRequest
	switch e.Code {
	case knob.CodeUnknown:
		status = http.StatusNotFound
	case knob.CodeRevision:
		status = http.StatusConflict
	}
	return refuse(status, string(e.Code), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}
