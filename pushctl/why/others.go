package why

import (
	"fmt"
	"math"

	"pushfleet/pushctl/table"
)

// blameShift is how much of the blame a burst takes from those who could not
// bear it.
const blameShift = 0.6

func (f *facts) client() Candidate {
	c := Candidate{Kind: Client, Score: f.closed() * (1 - blameShift*f.burst()*f.takes()), Cause: Slow}
	if !f.socket {
		c.Evidence = []string{"its socket could not be asked"}
		return c
	}
	if f.s.AckedBytes == 0 {
		c.Cause = Stalled
	}
	c.Evidence = append(c.Evidence, fmt.Sprintf("receive window full %s of %s", share(f.s.RwndLimited), f.time()),
		fmt.Sprintf("took %s, %s", orNothing(table.ByteRate(float64(f.s.AckedBytes)/f.over)), f.waiting()))
	return c
}

func (f *facts) network() Candidate {
	loss, silent, full := f.loss(), f.silent(), f.full()
	// A client whose buffer is full loses segments too; one that is flooded
	// leaves them waiting.
	c := Candidate{Kind: Network, Score: max(loss, silent, full*(1-blameShift*f.burst()*f.takes())) * (1 - 0.7*f.closed())}
	switch max(loss, silent, full) {
	case 0:
	case loss:
		c.Cause = Loss
	case silent:
		c.Cause = Silent
	default:
		c.Cause = Full
	}
	if !f.socket {
		c.Evidence = []string{"its socket could not be asked"}
		return c
	}
	c.Evidence = append(c.Evidence, fmt.Sprintf("%s of %s sent again, round trip up to %s", table.Count(f.s.Resent),
		table.Plural(int64(f.s.Segments), "segment"), table.Seconds(f.s.RTTMax)))
	if f.s.SilentMax >= 0.5 {
		c.Evidence = append(c.Evidence, fmt.Sprintf("nothing came back for %s while data was on its way", table.Seconds(f.s.SilentMax)))
	}
	if f.s.UnsentMax > 0 && f.s.Busy > 0 {
		c.Evidence = append(c.Evidence, fmt.Sprintf("sending %s of the time, up to %s not yet on the wire", share(f.s.Busy), table.Bytes(f.s.UnsentMax)))
	}
	return c
}

func (f *facts) publisher() Candidate {
	c := Candidate{Kind: Publisher, Score: f.beyond()}
	if f.burst() > 0 {
		c.Cause = Burst
	}
	before := orNothing(table.Rate(f.usual)) + " before"
	if !f.old {
		before = "too young to know what is usual"
	}
	c.Evidence = append(c.Evidence, fmt.Sprintf("in %s, %s; out %s", orNothing(table.Rate(f.in)), before, orNothing(table.Rate(f.out))))
	return c
}

// waiting tells of the queue.
func (f *facts) waiting() string {
	q := &f.w.Queue
	text := "nothing waited"
	if q.Max > 0 {
		text = fmt.Sprintf("%s → %s queued, oldest %s", table.Count(q.First), table.Count(q.Last), table.Seconds(q.OldestSeconds))
	}
	if f.w.Dropped > 0 {
		text += fmt.Sprintf(", %s dropped", table.Count(f.w.Dropped))
	}
	return text
}

func (f *facts) time() string { return table.Seconds(math.Round(f.over*10) / 10) }

func share(v float64) string { return table.Percent(100 * v) }

func orNothing(text string) string {
	if text == table.Dash {
		return "nothing"
	}
	return text
}
