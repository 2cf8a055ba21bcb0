package report

import (
	"fmt"
	"math"
	"strings"

	"pushfleet/pushctl/experiment/verdict"
)

// Finish fills Result and Why in from the trials. Without any they stay empty.
// What was stopped early cannot pass: the rest of its time might have told
// otherwise.
func (r *Report) Finish() {
	switch len(r.Trials) {
	case 0:
		return
	case 1:
		r.Result, r.Why = r.Trials[0].Verdict.Result, r.Trials[0].Verdict.Why
	default:
		r.Result, r.Why = r.sweep()
	}
	if r.Stopped != nil && r.Result == verdict.Pass {
		r.Result, r.Why = verdict.Inconclusive, "it was stopped early ("+r.Stopped.Reason+"); until then "+r.Why
	}
}

// sweep is the result of several trials: pass if a value is better and not
// worse, which the sentence names.
func (r *Report) sweep() (verdict.Result, string) {
	if best := r.Best(); best >= 0 {
		t := &r.Trials[best]
		return verdict.Pass, t.Name + ": " + t.Verdict.Why
	}
	n := map[verdict.Result]int{}
	var why []string
	for i := range r.Trials {
		t := &r.Trials[i]
		n[t.Verdict.Result]++
		if t.Verdict.Result == verdict.Fail {
			what, _, _ := strings.Cut(t.Verdict.Why, ";")
			why = append(why, t.Name+": "+what)
		}
	}
	switch {
	case n[verdict.Fail] == len(r.Trials):
		return verdict.Fail, "every value is worse; " + strings.Join(why, "; ")
	case n[verdict.Pass] == len(r.Trials):
		return verdict.Pass, fmt.Sprintf("all %d values are equal to control", len(r.Trials))
	case len(why) > 0:
		return verdict.Inconclusive, "no value is known to be better; " + strings.Join(why, "; ")
	}
	return verdict.Inconclusive, "no value is known to differ from control; " + r.Trials[0].Verdict.Why
}

// Best is the trial of a sweep that improves most, by the first metric in
// which any is better, of those that are worse in nothing; -1 if there is none.
func (r *Report) Best() int {
	best, metric, most := -1, math.MaxInt, 0.0
	for i := range r.Trials {
		v := &r.Trials[i].Verdict
		if v.Result != verdict.Pass {
			continue
		}
		for k, e := range v.Effects {
			if e.Result != verdict.Better || e.Metric.Watch {
				continue
			}
			if k < metric || k == metric && math.Abs(e.Change) > most {
				best, metric, most = i, k, math.Abs(e.Change)
			}
			break
		}
	}
	return best
}
