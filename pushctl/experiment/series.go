package experiment

import (
	"math"

	"pushfleet/pushctl/experiment/verdict"
)

// amount is what one second adds to a metric.
type amount struct{ num, den float64 }

// ofReadings are the metrics that two readings in a row tell.
func ofReadings() map[string]func(a, b *reading) amount {
	return map[string]func(a, b *reading) amount{
		verdict.CPUPerMessage: func(a, b *reading) amount { return amount{b.cpu - a.cpu, b.delivered - a.delivered} },
		verdict.MemoryPerConn: func(_, b *reading) amount {
			if b.conns == 0 {
				return amount{num: math.NaN()}
			}
			// Of PSS a node has less if another on its machine runs the same program.
			return amount{b.own, b.conns}
		},
		verdict.QueueWait: func(a, b *reading) amount { return amount{b.queued * (b.at - a.at), b.delivered - a.delivered} },
		verdict.Drops:     func(a, b *reading) amount { return amount{b.dropped - a.dropped, b.delivered - a.delivered} },
		verdict.GCPause: func(a, b *reading) amount {
			if b.cycles == a.cycles {
				return amount{num: math.NaN()} // nothing stood, which is not the same as for no time
			}
			return amount{b.paused - a.paused, b.cycles - a.cycles}
		},
		verdict.WouldWait:      func(a, b *reading) amount { return amount{b.wouldWait - a.wouldWait, b.writes - a.writes} },
		verdict.SwitchesPerMsg: func(a, b *reading) amount { return amount{b.switches - a.switches, b.delivered - a.delivered} },
	}
}

// ofRows are the metrics that the recorder tells.
func ofRows() map[string]func(*row) amount {
	return map[string]func(*row) amount{
		verdict.GCCPU:      func(r *row) amount { return amount{r.gc, r.cpu} },
		verdict.DeliverP50: func(r *row) amount { return amount{num: r.p50} },
		verdict.DeliverP99: func(r *row) amount { return amount{num: r.p99} },
		verdict.SchedWait:  func(r *row) amount { return amount{num: r.sched} },
		verdict.LockWait:   func(r *row) amount { return amount{num: r.lock} },
	}
}

// timed is an amount with its second.
type timed struct {
	at float64
	amount
}

// amounts lists the seconds of a metric on one side.
func amounts(metric string, readings []reading, rows []row) (out []timed) {
	if f := ofReadings()[metric]; f != nil {
		for i := 1; i < len(readings); i++ {
			if a, b := &readings[i-1], &readings[i]; b.follows(a) {
				out = append(out, timed{b.at, f(a, b)})
			}
		}
	}
	if f := ofRows()[metric]; f != nil {
		for i := range rows {
			out = append(out, timed{rows[i].at, f(&rows[i])})
		}
	}
	return out
}

// ratio is the metric's value in one second.
func (a amount) ratio() float64 {
	switch {
	case math.IsNaN(a.den):
		return math.NaN()
	case a.den == 0:
		return a.num
	}
	return a.num / a.den
}

// labelled gives the seconds within the slots of a trial their arm. Slots count
// from begin.
func labelled(in []timed, slots []Slot, begin float64, trial int, arm func(Slot) verdict.Arm) (out []verdict.Point) {
	i := 0
	for _, t := range in {
		at := t.at - begin
		for i < len(slots) && at > slots[i].To.Seconds() {
			i++
		}
		if i == len(slots) {
			break
		}
		s := slots[i]
		if at <= s.From.Seconds() || s.Phase == verdict.PhaseAB && s.Trial != trial {
			continue
		}
		out = append(out, verdict.Point{At: at, Phase: s.Phase, Arm: arm(s), Num: t.num, Den: t.den})
	}
	return out
}
