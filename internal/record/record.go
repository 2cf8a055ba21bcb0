// Package record is the memory of a node: one record a second of some hundred
// numbers, in files of a fixed total size that survive a killed process. It
// holds the form of the files, what writes and reads them, and what people ask
// of them. It is pure over io: who has a disk, a clock and the numbers passes
// them in. FORMAT.md describes every byte.
package record

import (
	"math"
	"time"
)

// Kind says how the numbers of a field are to be read.
type Kind string

// The kinds.
const (
	Counter Kind = "counter" // grows; what is shown is its rate per second
	Gauge   Kind = "gauge"   // is what it is; the mean stands for an interval
	Peak    Kind = "peak"    // a gauge of which the greatest stands for an interval
)

// Field is one number of every record.
type Field struct {
	Name string `json:"name"` // dotted, as in cpu.user
	// Unit is that of what is shown: of a gauge itself, of a counter's rate
	// without the "per second", except in "%", which is the whole.
	Unit string `json:"unit,omitempty"`
	Kind Kind   `json:"kind"`
	// Scale is what one of the stored whole numbers is worth in Unit; 0 is 1.
	Scale float64 `json:"scale,omitempty"`
	Help  string  `json:"help,omitempty"`
}

// Shown turns a stored number, or a difference of two, into the field's unit.
func (f *Field) Shown(v float64) float64 {
	if f.Scale == 0 {
		return v
	}
	return v * f.Scale
}

// Missing stands for a number that could not be had.
const Missing = math.MinInt64

// valueMax bounds stored numbers to both sides, so that a difference of two
// always has a form. Greater ones are stored as the bound.
const valueMax = 1<<62 - 1

// Format is the version of the form that this package writes. It reads this
// and older ones.
const Format = 1

// Schema says whose records follow and what their numbers are.
type Schema struct {
	Format  int     `json:"format"`
	Node    string  `json:"node"`
	Version string  `json:"version"`
	Run     string  `json:"run"`      // differs for each start of the process
	EveryMS int64   `json:"every_ms"` // between two records
	Fields  []Field `json:"fields"`
}

// Every is the time between two records.
func (s *Schema) Every() time.Duration { return time.Duration(s.EveryMS) * time.Millisecond }

// Index returns where a field stands, -1 when it is not there.
func (s *Schema) Index(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Record is all numbers at one instant.
type Record struct {
	At   int64   // ms since 1970 by the clock on the wall
	Mono int64   // ms by a clock that is never set, of one run
	V    []int64 // by the schema's fields; Missing where there is none
}

// Time is At as a time.
func (r *Record) Time() time.Time { return time.UnixMilli(r.At) }

// Mark is something that happened, between the records.
type Mark struct {
	At   int64  `json:"at"`   // ms since 1970
	Kind string `json:"kind"` // one of the Mark constants
	Text string `json:"text"` // for people
	// Fields are those that a gap is about; none is all.
	Fields []string `json:"fields,omitempty"`
}

// The kinds of marks.
const (
	MarkStart   = "start"   // a run begins
	MarkStop    = "stop"    // a run ended in good order
	MarkKnob    = "knob"    // a knob changed
	MarkGap     = "gap"     // numbers are missing, and why
	MarkPause   = "pause"   // nothing could be written, and why
	MarkClock   = "clock"   // the clock on the wall was set
	MarkTrigger = "trigger" // a burst begins, and why
)

// Time is At as a time.
func (m *Mark) Time() time.Time { return time.UnixMilli(m.At) }
