package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
)

// ReplayOptions say what to replay. To and From are required.
type ReplayOptions struct {
	To    Shadow
	From  *teewire.Files
	Takes time.Duration // about, for Progress; 0: not known
	Allow []string      // StopDriver: go on though this machine is too slow
	Tell  func(Progress)
}

// Replayed is what came of a recording.
type Replayed struct {
	Shadow string       `json:"shadow"` // its name
	Begin  time.Time    `json:"begin"`
	End    time.Time    `json:"end"`
	Driver drive.Counts `json:"driver"`
	Ended  string       `json:"ended,omitempty"` // a word of the stops, "" when all was replayed
	Detail string       `json:"detail,omitempty"`
}

// Replay drives a shadow with a recording until that or ctx ends. Its error
// says that it could not begin.
func Replay(ctx context.Context, o ReplayOptions) (*Replayed, error) {
	if o.Tell == nil {
		o.Tell = func(Progress) {}
	}
	e := &experiment{begin: time.Now(), ended: make(chan error, 1), strikes: map[string]int{},
		o: Options{To: o.To, Allow: o.Allow, Tell: o.Tell}}
	e.to = newSide(o.To, e.begin)
	if err := e.to.look(ctx); err != nil {
		return nil, fmt.Errorf("--to %s: %w", o.To.Addr(), err)
	}
	r := &Replayed{Shadow: e.to.state().last.Node, Begin: e.begin}
	inner, end := context.WithCancel(ctx)
	e.beside.Go(func() { e.to.follow(inner) })                                    // ends with inner
	e.beside.Go(func() { e.ended <- o.To.Run(inner, teewire.NewReader(o.From)) }) // ends with the files, or inner
	err := e.replay(ctx, o.Takes)
	end()
	e.beside.Wait()
	r.End, r.Driver = time.Now(), o.To.Counts()
	var s *stop
	switch {
	case err == nil:
	case ctx.Err() != nil:
		r.Ended, r.Detail = StopInterrupted, "who ran it ended it"
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.Detail = "the recording does not tell how the tee ended"
		if o.From.Extent(false) == teewire.Cut {
			r.Detail += ": it was cut off, or still goes on"
		}
	case errors.As(err, &s):
		r.Ended, r.Detail = s.reason, s.detail
	default:
		r.Ended, r.Detail = StopStream, err.Error()
	}
	return r, nil
}

// replay watches until all is replayed.
func (e *experiment) replay(ctx context.Context, takes time.Duration) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-e.ended:
			return err
		case <-tick.C:
		}
		if err := e.to.alive(StopShadow); err != nil {
			return err
		}
		if err := e.keepsUp(); err != nil {
			return err
		}
		c := e.o.To.Counts()
		since := time.Since(e.begin)
		e.o.Tell(Progress{Stage: "replay", Since: since, Of: takes, Left: max(takes-since, 0), Open: c.Open, Total: c.Open,
			Joined: c.Joined, Torn: c.Torn, Read: drive.Sum(c.Read), Dropped: c.LeftOut(), Late: c.LateP99, CPURise: math.NaN(), P99Rise: math.NaN(), TapCPU: math.NaN()})
	}
}

// allows tells whether a condition does not end it.
func (e *experiment) allows(reason string) bool { return slices.Contains(e.o.Allow, reason) }
