package record

import (
	"math"
	"time"
)

// Figures turns records into what is shown: gauges in their unit, counters as
// rates per second since the record before. The zero value is ready to use.
// What cannot be told is NaN: a missing number, the rate of a first record, of
// one behind a gap or a restart, and of a counter that went back.
type Figures struct {
	Schema *Schema
	At     int64 // ms since 1970 of the last record
	// Gap is how long nothing was recorded before the last record; 0 if that
	// came in time.
	Gap time.Duration

	run        string
	mono       int64
	prev, last []int64
	seconds    float64 // between prev and last; 0 if they do not belong together
}

// gapFactor is how many intervals later than due a record is still in time.
const gapFactor = 2.5

// Add takes the next record. The values it had before are overwritten.
func (f *Figures) Add(s *Schema, r *Record) {
	f.Gap = f.gap(s, r)
	f.seconds = 0
	if f.Gap == 0 && f.run == s.Run && sameFields(f.Schema, s) && r.Mono > f.mono {
		f.seconds = float64(r.Mono-f.mono) / 1000
	}
	f.prev, f.last = f.last, append(f.prev[:0], r.V...)
	f.Schema, f.run, f.At, f.mono = s, s.Run, r.At, r.Mono
}

// gap tells how long there was nothing before a record. Within a run the clock
// that is never set says so.
func (f *Figures) gap(s *Schema, r *Record) time.Duration {
	if f.Schema == nil {
		return 0
	}
	d := time.Duration(r.At-f.At) * time.Millisecond
	if f.run == s.Run {
		d = time.Duration(r.Mono-f.mono) * time.Millisecond
	}
	if float64(d) <= gapFactor*float64(s.Every()) {
		return 0
	}
	return d
}

// sameFields tells whether the numbers of two schemas stand at the same places.
func sameFields(a, b *Schema) bool {
	if a == b {
		return true
	}
	if len(a.Fields) != len(b.Fields) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name || a.Fields[i].Kind != b.Fields[i].Kind {
			return false
		}
	}
	return true
}

// Value returns field i of the last record in its unit.
func (f *Figures) Value(i int) float64 {
	if i < 0 || i >= len(f.last) || f.last[i] == Missing {
		return math.NaN()
	}
	field := &f.Schema.Fields[i]
	if field.Kind != Counter {
		return field.Shown(float64(f.last[i]))
	}
	if f.seconds == 0 || f.prev[i] == Missing || f.last[i] < f.prev[i] {
		return math.NaN()
	}
	return field.Shown(float64(f.last[i]-f.prev[i])) / f.seconds
}

// Raw returns the stored number of field i, Missing if there is none.
func (f *Figures) Raw(i int) int64 {
	if i < 0 || i >= len(f.last) {
		return Missing
	}
	return f.last[i]
}
