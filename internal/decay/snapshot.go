package decay

import "math"

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
