// Package experiment tries something on a shadow that is fed with the live
// traffic of a node: it mirrors, takes turns between two settings, watches that
// production is not harmed, puts the shadow back and judges. Room of
// ARCHITECTURE.md: imports internal/* and its own rooms.
package experiment

import (
	"context"
	"io"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
)

// Node is what an experiment asks of a node. *pushdapi.Client is one.
type Node interface {
	Addr() string
	Stats(ctx context.Context) (*pushdapi.Stats, error)
	Knob(ctx context.Context, name string) (*pushdapi.Knob, error)
	SetKnob(ctx context.Context, name string, s pushdapi.KnobSet) (*pushdapi.KnobChange, error)
	Rec(ctx context.Context, q pushdapi.RecQuery) (io.ReadCloser, error)
}

// Production is the node whose traffic is mirrored.
type Production interface {
	Node
	Tee(ctx context.Context, q pushdapi.TeeQuery) (*pushdapi.TeeStream, error)
	Tap(ctx context.Context) (*pushdapi.Tap, error)
	StopTeeID(ctx context.Context, id string) error
}

// Driver replays mirrored traffic on one shadow. *drive.Driver is one.
type Driver interface {
	Run(ctx context.Context, r *teewire.Reader) error
	Counts() drive.Counts
}

// Shadow is a node that takes mirrored traffic, and what drives it.
type Shadow struct {
	Node
	Driver
}
