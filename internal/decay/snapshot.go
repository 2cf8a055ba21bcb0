package decay

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// Snapshot is a record read as of one instant. Rates are per second; the index
// is the horizon of 1, 10, 100 s.
type Snapshot struct {
	In, Out, Bytes, Level, Peak [3]float64
	// Tau is the time in seconds that each window stands for, to be used in
	// Wait and Drain: the horizon for an old connection, about half the age
	// for a young one.
	Tau [3]float64
}

// AgeUnknown is an age that calls for no correction.
const AgeUnknown = math.MaxUint32

// Snapshot reads w as of now with q messages queued since its last update. w
// must be a private copy (Load) unless the caller owns it.
//
// A connection younger than a horizon has not filled it: rates and levels are
// divided by 1−exp(−age/τ), the weight of the time it has existed. ageMs is its
// age, at least 1 ms; AgeUnknown leaves the sums as they are. A peak needs no
// correction.
func (w *Windows) Snapshot(now, ageMs, q uint32) (s Snapshot) {
	e := factors(gap(now, w.At))
	age := float64(max(ageMs, 1)) / 1000
	for i, tau := range taus {
		fill, span := 1.0, tau
		if ageMs != AgeUnknown {
			fill = -math.Expm1(-age / tau)
			span = tau * math.Tanh(age/tau/2)
		}
		s.In[i] = float64(w.In[i]) * e[i] / fill
		s.Out[i] = float64(w.Out[i]) * e[i] / fill
		s.Bytes[i] = float64(w.Bytes[i]) * e[i] / fill
		s.Level[i] = (float64(q) + (float64(w.Level[i])-float64(q))*e[i]) / fill
		s.Peak[i] = max(float64(w.Peak[i])*e[i], float64(q))
		s.Tau[i] = span
	}
	return s
}

// Wait estimates the wait of the newest of q messages from window i. When too
// few messages left to know, only the time during which messages were there to
// leave counts as evidence: Level/q of the window. So a queue that filled this
// instant has Low near 0, one that has been stuck for long a high one.
func (s *Snapshot) Wait(i int, q float64) Estimate {
	e := Wait(q, s.Out[i], s.Tau[i])
	if e.State == Unsure {
		e.Low = q / scoreUpper(s.Out[i], s.Tau[i]*min(1, s.Level[i]/q))
	}
	return e
}

// Drain estimates when q messages will be gone, from window i; limit is the
// queue's, 0 for none.
func (s *Snapshot) Drain(i int, q, limit float64) Estimate {
	return Drain(q, s.In[i], s.Out[i], s.Tau[i], limit)
}

// Quantity is one of the rates of a record.
type Quantity uint8

// The rates that Rate reads.
const (
	QuantityIn Quantity = iota
	QuantityOut
)

// Bound returns an upper bound of a rate of window i (0…2) as of any time since
// the last update: its stored value. Safe while the owner writes.
func (w *Windows) Bound(what Quantity, i int) float64 {
	return float64(math.Float32frombits(atomic.LoadUint32(w.word(what, i))))
}

// Rate returns one rate of window i (0…2) as of now without correction for age.
// Safe while the owner writes.
func (w *Windows) Rate(what Quantity, i int, now uint32) float64 {
	dt := gap(now, atomic.LoadUint32(&w.At))
	if dt >= goneMs {
		return 0
	}
	return w.Bound(what, i) * (1 - float64(table.loss[dt&1023][i])) * float64(table.keep[dt>>10][i])
}

func (w *Windows) word(what Quantity, i int) *uint32 {
	from := &w.In
	if what == QuantityOut {
		from = &w.Out
	}
	return (*uint32)(unsafe.Pointer(&from[i]))
}

// Sum adds records up: rates and levels of many connections, or nodes, are the
// sum of theirs once all are decayed to one instant. Peaks do not add up. The
// zero value is an empty sum.
type Sum struct {
	In, Out, Bytes, Level [3]float64
}

// Add counts in w as of now with q messages queued. No correction for age: a
// connection that is new has indeed sent nothing before.
func (s *Sum) Add(w *Windows, now, q uint32) {
	e := factors(gap(now, w.At))
	for i := range e {
		s.In[i] += float64(w.In[i]) * e[i]
		s.Out[i] += float64(w.Out[i]) * e[i]
		s.Bytes[i] += float64(w.Bytes[i]) * e[i]
		s.Level[i] += float64(q) + (float64(w.Level[i])-float64(q))*e[i]
	}
}

// Merge adds another sum taken as of the same instant.
func (s *Sum) Merge(o *Sum) {
	for i := range s.In {
		s.In[i] += o.In[i]
		s.Out[i] += o.Out[i]
		s.Bytes[i] += o.Bytes[i]
		s.Level[i] += o.Level[i]
	}
}
