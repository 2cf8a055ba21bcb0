package admin

import (
	"time"

	"pushfleet/internal/knob"
)

// Knobs bound what operators may ask at once.
type Knobs struct {
	Concurrency *knob.Int
	Traces      *knob.Int
	Timeout     *knob.Duration
	Heartbeat   *knob.Duration
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	return Knobs{
		Concurrency: r.Int(knob.Spec{Name: "admin.concurrency", Unit: "requests", Risk: knob.Low,
			Help: "Admin requests answered at the same time, so that loops keep their processors; more are refused as busy. A scrape of /metrics may always take one more."},
			4, 1, 256),
		Traces: r.Int(knob.Spec{Name: "admin.traces_max", Unit: "traces", Risk: knob.Low,
			Help: "Traces that may be open at the same time; more are refused as busy."}, 16, 1, 1024),
		Timeout: r.Duration(knob.Spec{Name: "admin.timeout", Risk: knob.Low,
			Help: "How long an admin request may take, and how long a reader of a trace may not read, before it is given up."},
			5*time.Second, 100*time.Millisecond, time.Minute),
		Heartbeat: r.Duration(knob.Spec{Name: "admin.trace_heartbeat", Risk: knob.Low,
			Help: "An empty line is sent this often on a trace, so that a dead reader is noticed."},
			10*time.Second, 10*time.Millisecond, 5*time.Minute),
	}
}
