package tap

import (
	"time"

	"pushfleet/internal/knob"
)

// Knobs are the hot settings of the tap.
type Knobs struct {
	Sample *knob.Float    // percent of users that a tee may mirror, see In
	Buffer *knob.Int      // bytes
	CPU    *knob.Float    // percent of one core
	Rate   *knob.Int      // bytes per second
	Stall  *knob.Duration // bounds one write of a Sink

	onSample func(func())
}

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	k := Knobs{
		Sample: r.Float(knob.Spec{Name: "tap.sample_percent", Unit: "percent", Risk: knob.Low,
			Help: "Largest share of users, in steps of 0.01, whose traffic a tee may mirror; one that asks for more gets this. A smaller share is part of a larger one, on all nodes alike. 0 ends a tee at once and refuses others."}, 100, 0, 100),
		Buffer: r.Bytes(knob.Spec{Name: "tap.buffer_bytes_max", Risk: knob.Low,
			Help: "Mirrored traffic that may wait for the reader of a tee. Beyond it connections leave the sample with reason buffer; clients wait for nothing."}, 16<<20, 1<<20, 1<<30),
		CPU: r.Float(knob.Spec{Name: "tap.cpu_percent_max", Unit: "percent", Risk: knob.Low,
			Help: "Share of one core that a tee may cost, as estimated. Above it for two seconds the sample is halved, with reason cpu."}, 5, 0.1, 1000),
		Rate: r.Bytes(knob.Spec{Name: "tap.bytes_rate_max", Risk: knob.Low,
			Help: "Bytes per second that a tee may mirror. Above it for two seconds the sample is halved, with reason rate."}, 64<<20, 64<<10, 1<<40),
		Stall: r.Duration(knob.Spec{Name: "tap.stall_timeout", Risk: knob.Low,
			Help: "How long the reader of a tee may take nothing before the tee ends, with reason stalled."}, 10*time.Second, 100*time.Millisecond, 10*time.Minute),
	}
	k.onSample = func(f func()) { r.OnChange("tap.sample_percent", func(knob.State) { f() }) }
	return k
}
