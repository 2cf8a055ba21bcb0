package record

// Thin makes one record of several: counters are what they are at the end,
// gauges their mean and peaks the greatest, each over the records that had a
// number. The zero value is empty.
type Thin struct {
	sum []int64
	n   []int64
	rec Record
}

// Add takes one record of a schema; all have the same until Take.
func (t *Thin) Add(s *Schema, r *Record) {
	if len(t.sum) != len(r.V) {
		t.sum, t.n = make([]int64, len(r.V)), make([]int64, len(r.V))
		t.rec.V = make([]int64, len(r.V))
	}
	t.rec.At, t.rec.Mono = r.At, r.Mono
	for i, v := range r.V {
		if v == Missing {
			continue
		}
		switch {
		case s.Fields[i].Kind == Counter || t.n[i] == 0:
			t.sum[i] = v
		case s.Fields[i].Kind == Peak:
			t.sum[i] = max(t.sum[i], v)
		default:
			t.sum[i] += v
		}
		t.n[i]++
	}
}

// Take returns the one record, which the next Add overwrites, and begins anew.
func (t *Thin) Take(s *Schema) *Record {
	for i := range t.rec.V {
		switch {
		case t.n[i] == 0:
			t.rec.V[i] = Missing
		case s.Fields[i].Kind == Gauge:
			t.rec.V[i] = rounded(t.sum[i], t.n[i])
		default:
			t.rec.V[i] = t.sum[i]
		}
	}
	clear(t.sum)
	clear(t.n)
	return &t.rec
}

// rounded divides to the nearest.
func rounded(sum, n int64) int64 {
	if sum < 0 {
		return -rounded(-sum, n)
	}
	return (sum + n/2) / n
}
