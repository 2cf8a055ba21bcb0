package recorder

import (
	"fmt"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/record"
)

// trigger says when to look closer.
type trigger struct {
	knobs              *Knobs
	oldest, sched, num int // where they stand in a record
	last               int64
	fired              bool
	before             int64 // number of waits as of the record before
}

// schedMin is the least number of waits for a processor of which a p99 says
// something.
const schedMin = 20

func newTrigger(k *Knobs, s *record.Schema) *trigger {
	return &trigger{knobs: k, oldest: s.Index("oldest"), sched: s.Index("go.sched_p99"), num: s.Index("go.scheds")}
}

// judge returns why a burst is to begin, "" if it is not. Each record of a
// second is judged once.
func (t *trigger) judge(r *record.Record) string {
	waits := r.V[t.num] - t.before
	t.before = r.V[t.num]
	if t.knobs.Burst.Get() == 0 || t.fired && r.Mono-t.last < t.knobs.Every.Get().Milliseconds() {
		return ""
	}
	why := ""
	if ms := r.V[t.oldest]; over(t.knobs.Wait, time.Duration(ms)*time.Millisecond, ms) {
		why = fmt.Sprintf("a message has waited %s in its queue (%s is %s)", time.Duration(ms)*time.Millisecond, t.knobs.Wait.Name(), knob.FormatDuration(t.knobs.Wait.Get()))
	} else if ns := r.V[t.sched]; waits >= schedMin && over(t.knobs.Sched, time.Duration(ns), ns) {
		why = fmt.Sprintf("goroutines waited %s for a processor, p99 of a second (%s is %s)", time.Duration(ns).Round(10*time.Microsecond), t.knobs.Sched.Name(), knob.FormatDuration(t.knobs.Sched.Get()))
	}
	if why != "" {
		t.fired, t.last = true, r.Mono
	}
	return why
}

// over compares with a threshold of which 0 is none.
func over(k *knob.Duration, is time.Duration, stored int64) bool {
	return stored != record.Missing && k.Get() > 0 && is >= k.Get()
}
