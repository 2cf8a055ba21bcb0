package recorder

import (
	"time"

	"pushfleet/internal/knob"
)

// Knobs say what is recorded, how much of it is kept, and when to look closer.
type Knobs struct {
	On         *knob.Bool
	Bytes      *knob.Int      // of the 1 s ring
	Keep       *knob.Duration // of the 1 s ring
	LongBytes  *knob.Int      // of the 10 s ring
	LongKeep   *knob.Duration
	BurstBytes *knob.Int // of the 100 ms ring

	Before  *knob.Duration // of 100 ms looks held in memory; 0 takes none
	Burst   *knob.Duration
	Every   *knob.Duration // between two bursts
	Wait    *knob.Duration // in a queue; 0 never triggers
	Sched   *knob.Duration // for a processor; 0 never triggers
	Bundles *knob.Int
	Bundle  *knob.Int      // bytes of one
	Trace   *knob.Duration // of the execution trace in a bundle; 0 takes none
}

// beforeMax bounds what is held in memory: 100 looks.
const beforeMax = 10 * time.Second

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{
		On: r.Bool(knob.Spec{Name: "recorder.on", Risk: knob.Low,
			Help: "Record one second of everything, for pushctl rec."}, true),
		Bytes: r.Bytes(knob.Spec{Name: "recorder.bytes_max", Risk: knob.Low,
			Help: "Disk that the records of each second may take; the oldest go first."}, 64<<20, 1<<20, 16<<30),
		Keep: r.Duration(knob.Spec{Name: "recorder.keep", Risk: knob.Low,
			Help: "How long the records of each second are kept, if recorder.bytes_max allows."}, 24*time.Hour, time.Minute, 366*24*time.Hour),
		LongBytes: r.Bytes(knob.Spec{Name: "recorder.long_bytes_max", Risk: knob.Low,
			Help: "Disk that the records of each 10 s may take."}, 96<<20, 1<<20, 16<<30),
		LongKeep: r.Duration(knob.Spec{Name: "recorder.long_keep", Risk: knob.Low,
			Help: "How long the records of each 10 s are kept, if recorder.long_bytes_max allows."}, 14*24*time.Hour, time.Minute, 366*24*time.Hour),
		BurstBytes: r.Bytes(knob.Spec{Name: "recorder.burst_bytes_max", Risk: knob.Low,
			Help: "Disk that the records of each 100 ms of bursts may take."}, 8<<20, 1<<20, 1<<30),
		Before: r.Duration(knob.Spec{Name: "recorder.before", Risk: knob.Low,
			Help: "How much of the time before a burst is held in memory, in looks of 100 ms at what is cheapest to see, while the node uses more than 10% of a core; 0 looks once a second only."},
			5*time.Second, 0, beforeMax),
		Burst: r.Duration(knob.Spec{Name: "recorder.burst", Risk: knob.Low,
			Help: "How long everything is recorded each 100 ms after a trigger; 0 records no bursts and takes no bundles."}, 10*time.Second, 0, 10*time.Minute),
		Every: r.Duration(knob.Spec{Name: "recorder.burst_every", Risk: knob.Low,
			Help: "Least time from the begin of a burst to that of the next."}, 10*time.Minute, time.Second, 24*time.Hour),
		Wait: r.Duration(knob.Spec{Name: "recorder.trigger_wait", Risk: knob.Low,
			Help: "A message that has waited so long in a queue triggers a burst; 0 never."}, 10*time.Second, 0, time.Hour),
		Sched: r.Duration(knob.Spec{Name: "recorder.trigger_sched", Risk: knob.Low,
			Help: "A p99 of waits for a processor of the process in one second that is so long triggers a burst; 0 never."}, 20*time.Millisecond, 0, time.Minute),
		Bundles: r.Int(knob.Spec{Name: "recorder.bundles_max", Unit: "bundles", Risk: knob.Low,
			Help: "Bundles kept of profiles and figures around a trigger; 0 takes none."}, 20, 0, 1000),
		Bundle: r.Bytes(knob.Spec{Name: "recorder.bundle_bytes_max", Risk: knob.Low,
			Help: "Largest bundle; what does not fit is left out of it and named in it."}, 8<<20, 64<<10, 256<<20),
		Trace: r.Duration(knob.Spec{Name: "recorder.trace", Risk: knob.Medium,
			Help: "Length of the execution trace in a bundle, which costs a node about a tenth more CPU while it is taken; 0 takes none."}, 2*time.Second, 0, 10*time.Second),
	}
}
