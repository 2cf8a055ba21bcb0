package experiment

import (
	"maps"
	"math"
	"slices"

	"pushfleet/internal/pushdapi"
)

// shadowPrefix begins the names of a shadow's figures.
const shadowPrefix = "shadow."

// figuresOf are what conditions may ask of a node: those of guards, by the same
// names.
func figuresOf(s *pushdapi.Stats, late []row) map[string]float64 {
	f := s.Figures()
	f["gc.10s"] = 100 * meanOf(late, func(r row) float64 { return r.gc / r.cpu })
	f["sched.p99"] = meanOf(late, func(r row) float64 { return r.sched })
	return f
}

// meanOf leaves out what is not known; without anything it is not a number.
func meanOf(rows []row, f func(row) float64) float64 {
	sum, n := 0.0, 0
	for _, r := range rows {
		if v := f(r); !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// ofTee are the figures of the tee itself: shares in percent.
func ofTee(c *charge, tap *pushdapi.Tap) map[string]float64 {
	f := map[string]float64{"cpu.rise": math.NaN(), "p99.rise": math.NaN(), "drops.share": 100 * c.drops,
		"tap.cpu": math.NaN(), "tap.torn": math.NaN(), "tap.buffer_bytes": math.NaN()}
	if c.cpu.known {
		f["cpu.rise"] = 100 * c.cpu.by
	}
	if c.p99.known {
		f["p99.rise"] = 100 * c.p99.by
	}
	if tap != nil {
		f["tap.cpu"], f["tap.torn"], f["tap.buffer_bytes"] = tap.CPUPercent, float64(tap.Torn), float64(tap.BufferBytes)
	}
	return f
}

// StopNames lists what conditions may ask for.
func StopNames() []string {
	of := figuresOf(&pushdapi.Stats{}, nil)
	all := slices.Collect(maps.Keys(of))
	for name := range of {
		all = append(all, shadowPrefix+name)
	}
	all = slices.AppendSeq(all, maps.Keys(ofTee(&charge{}, nil)))
	slices.Sort(all)
	return all
}
