package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
)

// shared is what the goroutine tells others.
type shared struct {
	mu    sync.Mutex
	state pushdapi.RecState
	last  []int64 // numbers of the last record; empty without one, and while recorder.on is off
}

// pause is a time in which nothing could be written.
type pause struct {
	since time.Time // zero for none
	why   string
}

// pause begins when a record cannot be written, and is told of once.
func (r *Recorder) pause(now time.Time, err error) {
	why := err.Error()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		why = "the disk is full"
	}
	if r.paused.why != why {
		r.c.Log.Warn("recording pauses", "dir", r.dir, "err", err, "then", "goes on by itself when it can write again")
	}
	if r.paused.since.IsZero() {
		r.paused.since = now
	}
	r.paused.why = why
}

// resume ends a pause behind the first record that could be written.
func (r *Recorder) resume(now time.Time) {
	if r.paused.since.IsZero() {
		return
	}
	p := r.paused
	r.paused = pause{}
	r.mark(&record.Mark{At: now.UnixMilli(), Kind: record.MarkPause,
		Text: fmt.Sprintf("nothing was recorded for %s: %s", now.Sub(p.since).Round(time.Second), p.why)}, &r.second, &r.long)
	r.c.Log.Info("recording goes on", "paused", now.Sub(p.since).Round(time.Second).String())
}

// publish tells others where things stand.
func (r *Recorder) publish() {
	k := &r.c.Knobs
	s := pushdapi.RecState{Node: r.c.Node, On: r.on, Dir: r.dir, Fields: len(r.fields),
		Bytes: uint64(r.sampler.cost.written), TookSeconds: float64(r.sampler.cost.took) / 1e9,
		Paused: r.paused.why, PausedSince: r.paused.since}
	for _, g := range r.sampler.gaps() {
		s.Gaps = append(s.Gaps, pushdapi.RecGap{File: "/proc/" + g.path, Why: g.why, Fields: g.fields})
	}
	for _, ring := range []struct {
		name string
		ring *ring
		most int64
	}{{RingSecond, &r.second, k.Bytes.Get()}, {RingLong, &r.long, k.LongBytes.Get()}, {RingBurst, &r.burst, k.BurstBytes.Get()}} {
		row := pushdapi.RecRing{Ring: ring.name, BytesMax: ring.most}
		if ring.ring.files != nil {
			row.Bytes = ring.ring.files.Bytes()
		}
		s.Rings = append(s.Rings, row)
	}
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	s.Records, s.Bursts = r.shared.state.Records, r.shared.state.Bursts
	r.shared.state = s
	r.shared.last = r.shared.last[:0]
	if r.on {
		r.shared.last = append(r.shared.last, r.now.V...)
	}
}

func (r *Recorder) count() {
	r.shared.mu.Lock()
	r.shared.state.Records++
	r.shared.mu.Unlock()
}

func (r *Recorder) countBurst() {
	r.shared.mu.Lock()
	r.shared.state.Bursts++
	r.shared.mu.Unlock()
}

// Summary returns what the recorder does, without a look at any file.
func (r *Recorder) Summary() pushdapi.RecState {
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	return r.shared.state
}

// State returns what the recorder does and the times that its files span.
func (r *Recorder) State(context.Context) (pushdapi.RecState, error) {
	s := r.Summary()
	rings := make([]pushdapi.RecRing, len(s.Rings))
	for i, ring := range s.Rings {
		from, to, err := record.Extent(os.DirFS(r.dir), ring.Ring)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		if to != 0 {
			ring.From, ring.To = time.UnixMilli(from), time.UnixMilli(to)
		}
		rings[i] = ring
	}
	s.Rings = rings
	bundles, err := r.Bundles()
	s.Bundles = len(bundles)
	return s, err
}

// Copy writes the records of a span in the form of internal/record.
func (r *Recorder) Copy(w io.Writer, q pushdapi.RecQuery) error {
	err := record.Copy(w, os.DirFS(r.dir), record.Query{Ring: q.Ring, From: q.From.UnixMilli(), To: q.To.UnixMilli(), Fields: q.Fields})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was recorded yet
	}
	return err
}
