package prom

import "sync"

// Floor remembers the highest value of each counter. A loop that does not
// answer in time is missing in the sums; Prometheus takes a counter that goes
// back for a restart and would count everything again. Two scrapes at once may
// also end in another order than they began. So a counter waits at its highest
// value until the sums have caught up.
//
// It also holds for the buckets of a histogram: they are cumulative, and of
// two growing rows the greater of each column is a growing row again. The zero
// value is ready; any goroutine may use it.
type Floor struct {
	mu   sync.Mutex
	most map[string]float64 // by series, whose number is bounded
}

// AtLeast returns v, or what it returned for the series before if that was more.
func (f *Floor) AtLeast(series string, v float64) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.most == nil {
		f.most = map[string]float64{}
	}
	v = max(v, f.most[series])
	f.most[series] = v
	return v
}
