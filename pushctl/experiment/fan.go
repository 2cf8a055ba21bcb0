package experiment

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"pushfleet/internal/teewire"
)

// fan gives one stream to several readers: each batch to all of them. A reader
// that stops is left out; one that is slow holds the others up, for a time that
// is less than a tap waits.
type fan struct {
	from     teewire.Batches
	branches []*branch
}

// fanDepth is how many batches a branch may be behind.
const fanDepth = 64

// fanWait is how long a batch waits for one branch before that gets no more.
const fanWait = 5 * time.Second

var errSlow = errors.New("one of the shadows took the traffic too slowly; tee them one by one")

// branch is one reader's side. It implements teewire.Batches.
type branch struct {
	in  chan []byte
	err error // valid when in is closed
}

func newFan(from teewire.Batches, n int) *fan {
	f := &fan{from: from}
	for range n {
		f.branches = append(f.branches, &branch{in: make(chan []byte, fanDepth)})
	}
	return f
}

func (f *fan) branch(i int) teewire.Batches { return f.branches[i] }

// run copies until the stream or ctx ends.
func (f *fan) run(ctx context.Context) {
	open := slices.Clone(f.branches)
	end := func(b *branch, err error) {
		b.err = err
		close(b.in)
	}
	defer func() {
		for _, b := range open {
			end(b, io.ErrUnexpectedEOF)
		}
	}()
	for len(open) > 0 {
		batch, err := f.from.NextBatch()
		if err != nil {
			for _, b := range open {
				end(b, err)
			}
			open = nil
			return
		}
		batch = slices.Clone(batch)
		open = slices.DeleteFunc(open, func(b *branch) bool {
			err := b.give(ctx, batch)
			if err != nil {
				end(b, err)
			}
			return err != nil
		})
	}
}

func (b *branch) give(ctx context.Context, batch []byte) error {
	select {
	case b.in <- batch:
		return nil
	default:
	}
	late := time.NewTimer(fanWait)
	defer late.Stop()
	select {
	case b.in <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return errSlow
	}
}

// NextBatch implements teewire.Batches.
func (b *branch) NextBatch() ([]byte, error) {
	batch, ok := <-b.in
	if !ok {
		return nil, b.err
	}
	return batch, nil
}
