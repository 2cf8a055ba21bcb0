package pushdapi

import (
	"context"
	"net/http"
	"net/url"
)

// Knobs returns all knobs of the node, sorted by name.
func (c *Client) Knobs(ctx context.Context) ([]Knob, error) {
	ks, err := fetch[[]Knob](ctx, c, "/v1/knobs", nil)
	if err != nil {
		return nil, err
	}
	return *ks, nil
}

// Knob returns one knob.
func (c *Client) Knob(ctx context.Context, name string) (*Knob, error) {
	return fetch[Knob](ctx, c, "/v1/knobs/"+url.PathEscape(name), nil)
}

// SetKnob changes a knob, or only checks the change when s.DryRun is set.
func (c *Client) SetKnob(ctx context.Context, name string, s KnobSet) (*KnobChange, error) {
	var change KnobChange
	if err := c.do(ctx, http.MethodPut, "/v1/knobs/"+url.PathEscape(name), nil, s, &change); err != nil {
		return nil, err
	}
	return &change, nil
}
