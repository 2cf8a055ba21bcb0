// Package knob holds typed settings that change while the process runs. A room
// declares its knobs once, keeps the handles and reads them; nothing is
// reloaded. Reading is one atomic load and allocates nothing.
//
// A Registry is a value: two nodes in one process have two.
package knob

import (
	"math"
	"sync/atomic"
	"time"
)

// Spec says what a knob is. Name is dotted, lower case, with the unit last
// (queue.bytes_max). Unit is what a plain number counts ("messages",
// "percent"); it may be empty. Help is one sentence for the operator.
type Spec struct {
	Name string
	Unit string
	Help string
	Risk Risk
	Acts Acts
}

// Risk says how careful an operator should be.
type Risk uint8

// The risks.
const (
	Low    Risk = iota // cannot hurt clients
	Medium             // may drop messages or slow some clients
	High               // may close connections or starve the node
)

var riskNames = [...]string{"low", "medium", "high"}

func (r Risk) String() string { return wordAt(riskNames[:], int(r)) }

// Acts says when a change is obeyed.
type Acts uint8

// The moments.
const (
	Live     Acts = iota // at once, on connections that are open too
	NewConns             // for connections opened from now on
	Restart              // when the process starts next
)

var actsNames = [...]string{"live", "new connections", "restart"}

func (a Acts) String() string { return wordAt(actsNames[:], int(a)) }

func wordAt(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "unknown"
}

// cell is the value of a knob of any kind as 64 bits: integers, bytes and
// durations (ns) as they are, floats by math.Float64bits, bools as 0 or 1,
// enums as the index.
type cell struct {
	bits atomic.Int64
	k    *declared
}

// Name returns the knob's name, for messages that say what to turn.
func (c *cell) Name() string { return c.k.spec.Name }

// Int is the handle of a whole number, also of a size in bytes.
type Int struct{ cell }

// Get returns the value in force.
func (h *Int) Get() int64 { return h.bits.Load() }

// Duration is the handle of a span of time.
type Duration struct{ cell }

// Get returns the value in force.
func (h *Duration) Get() time.Duration { return time.Duration(h.bits.Load()) }

// Float is the handle of a real number; it is never NaN nor infinite.
type Float struct{ cell }

// Get returns the value in force.
func (h *Float) Get() float64 { return math.Float64frombits(uint64(h.bits.Load())) }

// Bool is the handle of a switch.
type Bool struct{ cell }

// Get returns the value in force.
func (h *Bool) Get() bool { return h.bits.Load() != 0 }

// Enum is the handle of a choice among words.
type Enum struct{ cell }

// Get returns the index of the value in force among the declared values.
func (h *Enum) Get() int { return int(h.bits.Load()) }
