package decay

// Rate is one rate of a loop or node, per second over 1, 10 and 100 s, in
// float64: it may count a million events a second. The zero value counts
// nothing. 32 bytes, no pointers, one owner.
type Rate struct {
	S  [3]float64
	At uint32 // ms of the node's clock; wraps
}

// Add counts n events at now.
func (r *Rate) Add(now uint32, n uint64) {
	if dt := gap(now, r.At); dt != 0 {
		e := factors(dt)
		for i := range r.S {
			r.S[i] *= e[i]
			if r.S[i] < tiny {
				r.S[i] = 0
			}
		}
		r.At = now
	}
	for i, tau := range taus {
		r.S[i] += float64(n) / tau
	}
}

// Read returns the rates as of now. Rates of several owners read as of one
// instant add up.
func (r *Rate) Read(now uint32) (s [3]float64) {
	e := factors(gap(now, r.At))
	for i := range s {
		s[i] = r.S[i] * e[i]
	}
	return s
}
