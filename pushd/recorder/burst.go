package recorder

import (
	"context"
	"time"

	"pushfleet/internal/record"
)

// beginBurst writes what is in memory of the time before and looks closer for
// a while.
func (r *Recorder) beginBurst(now time.Time, why string) {
	r.until = now.Add(r.c.Knobs.Burst.Get())
	r.sampler.hurry()
	r.mark(&record.Mark{At: r.now.At, Kind: record.MarkTrigger, Text: why}, &r.second, &r.long, &r.burst)
	r.before.each(r.c.Knobs.Before.Get(), func(rec *record.Record) { r.append(now, &r.burst, rec) })
	r.append(now, &r.burst, &r.now)
	r.countBurst()
	r.c.Log.Warn("recording closely", "why", why, "for", r.c.Knobs.Burst.Get().String())
	if r.c.Knobs.Bundles.Get() > 0 {
		r.bundle = beginBundle(now, why, r.c.Knobs.Trace.Get(), r.c.Knobs.Bundle.Get())
	}
}

// takeBurst takes everything between two seconds.
func (r *Recorder) takeBurst(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), askHurried)
	defer cancel()
	r.sampler.takeHurried(ctx, now, &r.now)
	r.append(now, &r.burst, &r.now)
	if r.bundle != nil {
		r.bundle.stopTrace(now)
	}
}

func (r *Recorder) endBurst(now time.Time) {
	r.until = time.Time{}
	if r.bundle == nil {
		return
	}
	b := r.bundle
	r.bundle = nil
	info, err := r.finishBundle(b, now)
	if err != nil {
		r.c.Log.Warn("no bundle was saved", "err", err)
		return
	}
	r.c.Log.Info("bundle saved", "id", info.ID, "bytes", info.Bytes, "see", "pushctl rec bundle "+info.ID)
}

// dropBurst ends a burst without a bundle.
func (r *Recorder) dropBurst() {
	if r.bundle != nil {
		r.bundle.stopTrace(r.bundle.traceTo)
	}
	r.until, r.bundle = time.Time{}, nil
}
