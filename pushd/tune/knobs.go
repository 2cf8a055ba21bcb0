package tune

import (
	"time"

	"pushfleet/internal/knob"
)

// Knobs are the hot settings of the process.
type Knobs struct {
	Percent  *knob.Int  // of the garbage collector
	Limit    *knob.Int  // bytes, 0 none
	Hold     *knob.Int  // messages, 0 off
	LogLevel *knob.Enum // index into levels
}

// limitMin is the smallest memory limit: below it collections would follow one
// another without rest.
const limitMin = 16 << 20

// percentMax stands for a collector that only a memory limit starts.
const percentMax = 100_000

// lookEvery is how often backlog and heap are looked at while the collector
// may be held back.
const lookEvery = 50 * time.Millisecond

// levels are the values of log.level.
func levels() []string { return []string{"debug", "info", "warn", "error"} }

// NewKnobs declares them.
func NewKnobs(r *knob.Registry) Knobs {
	k := Knobs{
		Percent: r.Int(knob.Spec{Name: "gc.percent", Unit: "percent", Risk: knob.Medium,
			Help: "Growth of the Go heap over what is live that starts a garbage collection (GOGC, which gives the start value if set). More is less CPU and more memory; connections and messages lie outside this heap."}, 200, 1, percentMax),
		Limit: r.Bytes(knob.Spec{Name: "gc.memory_limit", Risk: knob.High,
			Help: "Memory of the Go runtime near which it collects garbage whatever gc.percent says (GOMEMLIMIT, which gives the start value if set). Records, queues and messages are not counted. 0 is none; too little for what is live burns CPU."}, 0, 0, 1<<50),
		Hold: r.Int(knob.Spec{Name: "gc.hold_while_backlog", Unit: "messages", Risk: knob.High,
			Help: "Messages waiting on the node above which no garbage is collected until half of them are gone or the heap reaches 90% of gc.memory_limit, which must be set. 0 never holds it back."}, 0, 0, 1<<40),
		LogLevel: r.Enum(knob.Spec{Name: "log.level", Risk: knob.Low,
			Help: "Least level of what is logged; the setting log.level gives the start value."}, 1, levels()),
	}
	r.Constrain("gc.memory_limit must be 0 (none) or at least 16MiB", func(v knob.Values) bool {
		return v.Int(k.Limit) == 0 || v.Int(k.Limit) >= limitMin
	})
	r.Constrain("gc.hold_while_backlog needs a gc.memory_limit: set both, or gc.hold_while_backlog=0", func(v knob.Values) bool {
		return v.Int(k.Hold) == 0 || v.Int(k.Limit) > 0
	})
	return k
}
