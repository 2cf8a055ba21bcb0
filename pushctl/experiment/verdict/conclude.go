package verdict

import (
	"fmt"
	"strings"
)

// conclude judges the whole by its effects.
func (v *Verdict) conclude() {
	for _, e := range v.AA {
		v.AAClean = v.AAClean || e.decides() && e.Windows > 1
	}
	for _, e := range v.AA {
		if e.decides() && (e.Result == Better || e.Result == Worse) {
			v.AAClean = false
			v.Result = Inconclusive
			v.Why = fmt.Sprintf("with nothing changed %s differs by %s already: this pair of machines does not compare like with like",
				e.Metric.Title, e.Signed(e.Change))
			return
		}
	}
	better, worse, equal, measured := v.named(Better), v.named(Worse), v.named(Equal), 0
	for _, e := range v.Effects {
		if e.decides() && e.Windows > 1 {
			measured++
		}
	}
	switch {
	case measured == 0:
		v.Result, v.Why = Inconclusive, "nothing was measured in enough windows of both arms: "+v.reason()
	case len(worse) > 0:
		v.Result, v.Why = Fail, "worse in "+list(worse)
		if len(better) > 0 {
			v.Why += ", better in " + list(better)
		}
	case len(better) > 0:
		v.Result, v.Why = Pass, "better in "+list(better)+", worse in none"
	case len(equal) == measured:
		v.Result, v.Why = Pass, fmt.Sprintf("equal in all %d: no difference that matters", measured)
	default:
		v.Result, v.Why = Inconclusive, "no difference was found, and not all of any size that matters can be ruled out"
	}
	if seen := v.Smallest(); seen != "" {
		v.Why += "; smallest that could be seen " + seen
	}
	if !v.AAClean && measured > 0 {
		v.Why += "; without an A/A phase, so the machines are taken to be alike"
	}
}

// decides tells whether the metric has a say.
func (e *Effect) decides() bool { return !e.Metric.Watch }

// named lists the deciding metrics with a result, and how much they changed.
func (v *Verdict) named(r Result) []string {
	var out []string
	for i := range v.Effects {
		if e := &v.Effects[i]; e.decides() && e.Result == r {
			out = append(out, e.Metric.Title+" ("+e.Signed(e.Change)+")")
		}
	}
	return out
}

func list(names []string) string { return strings.Join(names, ", ") }

// reason is the first that an effect has for saying nothing.
func (v *Verdict) reason() string {
	for _, e := range v.Effects {
		if e.Why != "" {
			return e.Why
		}
	}
	return "no metrics"
}

// Smallest names the smallest change of the first metric that would have been
// found, "" if that is not known.
func (v *Verdict) Smallest() string {
	for i := range v.Effects {
		e := &v.Effects[i]
		if e.decides() && e.Detectable > 0 {
			return strings.TrimPrefix(e.Signed(e.Detectable), "+") + " of " + e.Metric.Title
		}
	}
	return ""
}
