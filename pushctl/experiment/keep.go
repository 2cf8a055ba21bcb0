package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
)

// Keeper is a driver without a shadow: it writes the stream to files.
type Keeper struct {
	w *teewire.Writer

	mu     sync.Mutex
	counts drive.Counts
	open   map[uint64]struct{}
}

// NewKeeper writes to w, which stays the caller's to close once Run has ended.
func NewKeeper(w *teewire.Writer) *Keeper {
	return &Keeper{w: w, open: map[uint64]struct{}{}, counts: drive.Counts{Read: map[string]uint64{}, Replayed: map[string]uint64{}}}
}

// Through returns the stream that r's records come from, written to the files
// as it is read.
func (k *Keeper) Through(from teewire.Batches) teewire.Batches { return &kept{from, k.w} }

// kept writes what passes.
type kept struct {
	from teewire.Batches
	w    *teewire.Writer
}

// NextBatch implements teewire.Batches.
func (k *kept) NextBatch() ([]byte, error) {
	b, err := k.from.NextBatch()
	if err != nil {
		return nil, err
	}
	if err := k.w.Write(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Run implements Driver: it counts until the stream ends.
func (k *Keeper) Run(_ context.Context, r *teewire.Reader) error {
	for {
		kind, _, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && k.ended():
			return nil
		case errors.Is(err, teewire.ErrFull):
			return err
		case err != nil:
			return fmt.Errorf("keep the tee: %w", err)
		}
		k.count(kind, r)
	}
}

func (k *Keeper) ended() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counts.End.Reason != ""
}

func (k *Keeper) count(kind teewire.Kind, r *teewire.Reader) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := &k.counts
	c.Read[kind.String()]++
	c.Replayed[kind.String()]++
	switch kind {
	case teewire.KindOpen:
		k.open[r.Open.Conn] = struct{}{}
		if r.Open.Joined {
			c.Joined++
		}
	case teewire.KindClose:
		delete(k.open, r.Close.Conn)
	case teewire.KindTorn:
		c.Torn++
		delete(k.open, r.Torn.Conn)
	case teewire.KindCount:
		c.Tap = r.Count
	case teewire.KindEnd:
		c.End = r.End
	}
	c.Open = int64(len(k.open))
}

// Counts implements Driver.
func (k *Keeper) Counts() drive.Counts {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.counts
	c.Read, c.Replayed = maps.Clone(c.Read), maps.Clone(c.Replayed)
	return c
}
