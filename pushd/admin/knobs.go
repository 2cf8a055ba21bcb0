package admin

import (
	"time"

	"pushfleet/internal/knob"
)

// Knobs bound what operators may ask at once.
type Knobs struct {
	Concurrency *knob.Int
	Traces      *knob.Int
	Watches     *knob.Int
	Timeout     *knob.Duration
	Heartbeat   *knob.Duration
	Mutex       *knob.Int      // one of so many waits for a lock is sampled; 0 none
	Block       *knob.Duration // of waiting per sample; 0 none
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{
		Concurrency: r.Int(knob.Spec{Name: "admin.concurrency", Unit: "requests", Risk: knob.Low,
			Help: "Admin requests answered at the same time, so that loops keep their processors; more are refused as busy. A scrape of /metrics may always take one more."},
			4, 1, 256),
		Traces: r.Int(knob.Spec{Name: "admin.traces_max", Unit: "traces", Risk: knob.Low,
			Help: "Traces that may be open at the same time; more are refused as busy."}, 16, 1, 1024),
		Watches: r.Int(knob.Spec{Name: "admin.watches_max", Unit: "connections", Risk: knob.Low,
			Help: "Connections that may be watched at the same time, as pushctl why does; more are refused as busy. Each asks its loop 40 times a second."},
			64, 1, 1024),
		Timeout: r.Duration(knob.Spec{Name: "admin.timeout", Risk: knob.Low,
			Help: "How long an admin request may take, and how long a reader of a trace may not read, before it is given up."},
			5*time.Second, 100*time.Millisecond, time.Minute),
		Heartbeat: r.Duration(knob.Spec{Name: "admin.trace_heartbeat", Risk: knob.Low,
			Help: "An empty line is sent this often on a trace, so that a dead reader is noticed."},
			10*time.Second, 10*time.Millisecond, 5*time.Minute),
		Mutex: r.Int(knob.Spec{Name: "profile.mutex_fraction", Unit: "waits", Risk: knob.Low,
			Help: "One of so many waits for a lock is sampled all the time, for pprof mutex; 0 samples only while such a profile is timed. The process has one rate: of two nodes in it the last change counts."},
			0, 0, 1_000_000),
		Block: r.Duration(knob.Spec{Name: "profile.block_rate", Risk: knob.Low,
			Help: "One wait for a channel or lock is sampled per so much time of waiting, all the time, for pprof block; 0 samples only while such a profile is timed. Short ones cost: 10µs is fine."},
			0, 0, time.Second),
	}
}
