package probe

import (
	"encoding/binary"
	"fmt"
	"time"

	"pushfleet/pushctl/probe/gobin"
)

// Kinds of events, as in bpf/gc.bpf.c.
const (
	eventStart = 1
	eventEnd   = 2
	eventPause = 3
)

// Reasons to stop the world, as in runtime.stwReason of Go 1.26.
const (
	stopMark  = 1
	stopSweep = 2
)

// event is one record of the ring buffer.
type event struct{ kind, time, a, b, c, d, e uint64 }

const eventSize = 56

func readEvent(raw []byte) (event, error) {
	if len(raw) < eventSize {
		return event{}, fmt.Errorf("an event of %d bytes, want %d: the probe's object is not this program's", len(raw), eventSize)
	}
	w := func(i int) uint64 { return binary.LittleEndian.Uint64(raw[8*i:]) }
	return event{w(0), w(1), w(2), w(3), w(4), w(5), w(6)}, nil
}

// Cycle is one garbage collection, by the runtime's own timestamps.
type Cycle struct {
	N         int       `json:"n"`       // from 1, since the probe began
	At        time.Time `json:"at"`      // of its end
	Trigger   string    `json:"trigger"` // heap, time, or forced by the program
	Before    uint64    `json:"heap_before_bytes"`
	After     uint64    `json:"heap_live_bytes"`
	Goal      uint64    `json:"heap_goal_bytes"`
	StopSweep float64   `json:"stop_sweep_seconds"` // the world stands before marking
	StopMark  float64   `json:"stop_mark_seconds"`  // and after it
	Stopping  float64   `json:"stopping_seconds"`   // part of both: until all had stopped
	Mark      float64   `json:"mark_seconds"`       // beside the program
	Assist    float64   `json:"assist_seconds"`     // that goroutines which wanted memory had to mark, all together
	Beside    *Beside   `json:"beside,omitempty"`   // nil where nobody says it
}

// Beside is what a node says itself of the second in which a cycle ended. GC
// leaves it to its caller.
type Beside struct {
	Wait  *float64 `json:"wait_p99_seconds"`  // of messages from the API to the socket; nil without any
	Sched *float64 `json:"sched_p99_seconds"` // of goroutines for a processor; nil without any
}

// cycles puts events together. It is pure: events in, cycles out.
type cycles struct {
	cur    *Cycle
	start  uint64 // of marking, ns
	ended  bool
	paused uint64 // in this cycle, as the runtime adds it up, ns
	n      int
	pauses Waits
	other  Waits   // stops of the world for other reasons
	ends   []ended // of all cycles, at most endsMax
}

// ended is a cycle as the runtime counts it.
type ended struct {
	at     uint64 // CLOCK_MONOTONIC, ns
	paused uint64 // ns
	whole  bool   // false if it had begun before the probe
}

// endsMax bounds the cycles that can be compared with what the runtime says.
const endsMax = 1 << 20

type pause struct{ total, stopping uint64 }

// pauseMax is the longest believable stop: longer ones mean that registers hold
// something else.
const pauseMax = uint64(time.Hour)

// add takes an event and returns the cycle that it completes, or nil.
func (cs *cycles) add(e event) (*Cycle, error) {
	switch e.kind & 0xff {
	case eventStart:
		cs.n++
		cs.cur, cs.start, cs.ended, cs.paused = &Cycle{N: cs.n, Trigger: trigger(e.a), Before: e.b}, e.time, false, 0
	case eventEnd:
		cs.ended = true
		if cs.cur != nil {
			cs.cur.Mark = seconds(e.time - min(cs.start, e.time))
			cs.cur.Assist = seconds(e.d)
		}
	case eventPause:
		return cs.stop(e)
	}
	return nil, nil
}

func (cs *cycles) stop(e event) (*Cycle, error) {
	started, finished, now := e.a, e.b, e.time
	if started > finished || finished > now || now-started > pauseMax || e.e < finished || e.e > now {
		return nil, fmt.Errorf("the runtime says that the world stopped at %d, stood at %d until %d and ran at %d: its calling convention differs from that of %s",
			started, finished, e.e, now, gobin.Tested)
	}
	p, c, reason := pause{now - started, finished - started}, cs.cur, e.kind>>8
	if reason != stopMark && reason != stopSweep {
		cs.other.Record(p.total)
		return nil, nil
	}
	cs.pauses.Record(p.total)
	cs.paused += e.e - started
	over := reason == stopMark && cs.ended // else marking goes on: somebody had found more to do
	if over {
		cs.end(e.e)
	}
	if c == nil {
		return nil, nil // the rest of a cycle from before the probe
	}
	c.Stopping += seconds(p.stopping)
	if reason == stopSweep {
		c.StopSweep += seconds(p.total)
		return nil, nil
	}
	c.StopMark += seconds(p.total)
	if !over {
		return nil, nil
	}
	c.After, c.Goal = e.c, e.d
	cs.cur = nil
	return c, nil
}

// end notes the end of a cycle.
func (cs *cycles) end(at uint64) {
	if len(cs.ends) < endsMax {
		cs.ends = append(cs.ends, ended{at, cs.paused, cs.cur != nil})
	}
	cs.ended = false
}

func trigger(kind uint64) string {
	switch kind {
	case 0:
		return "heap"
	case 1:
		return "time"
	case 2:
		return "forced"
	}
	return fmt.Sprintf("kind %d", kind)
}
