package experiment

import (
	"fmt"
	"math"
	"slices"

	"pushfleet/internal/guard"
)

// The times over which production is compared with what it was before, in
// seconds: long enough for the moods of a machine to even out.
const (
	baseSeconds  = 120 // before the tee
	lateSeconds  = 60  // of late
	blockSeconds = 5   // means of which medians are taken
	rowsLeast    = 20  // else there is no telling
)

// Limits are what production may be charged.
const (
	cpuRiseMax   = 0.03   // of CPU per message
	cpuLeast     = 0.03   // of a core: a node with little to do may spend a larger share
	p99RiseMax   = 0.05   // of the p99 of deliveries
	p99Least     = 0.2e-3 // seconds: less is nothing that a client feels
	dropShareMax = 0.001  // of messages, beyond what was dropped before
	dropsLeast   = 10     // messages: fewer are no share
	sigmas       = 5      // a rise counts when it is surely one
	sustained    = 3      // looks in a row that have to find it
)

// rise is how much something has grown.
type rise struct {
	by    float64 // 0.05 is 5 %
	least float64 // surely
	err   float64 // standard, of by
	from  float64 // the median before
	to    float64
	known bool
}

// compare tells how much the median of late is above that of before. Both are
// seconds in order.
func compare(late, before []float64) rise {
	a, b := blocks(before), blocks(late)
	if len(a) < rowsLeast/blockSeconds || len(b) < rowsLeast/blockSeconds {
		return rise{}
	}
	ma, sa := middle(a)
	mb, sb := middle(b)
	if !(ma > 0) {
		return rise{}
	}
	r := rise{by: mb/ma - 1, from: ma, to: mb, known: true}
	r.err = math.Hypot(sa/ma*(mb/ma), sb/ma)
	r.least = r.by - sigmas*r.err
	return r
}

// blocks are means of some seconds each, which leave less of what one second
// has of the one before.
func blocks(v []float64) (out []float64) {
	for part := range slices.Chunk(v, blockSeconds) {
		sum, n := 0.0, 0
		for _, x := range part {
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				sum, n = sum+x, n+1
			}
		}
		if n > 0 {
			out = append(out, sum/float64(n))
		}
	}
	return out
}

// middle is the median and its standard error, by the median of deviations.
func middle(v []float64) (median, err float64) {
	median = medianOf(v)
	dev := make([]float64, len(v))
	for i, x := range v {
		dev[i] = math.Abs(x - median)
	}
	const toSigma, ofMedian = 1.4826, 1.2533 // of a normal distribution
	return median, toSigma * ofMedian * medianOf(dev) / math.Sqrt(float64(len(v)))
}

func medianOf(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// charge is what the tee costs production, as far as can be seen.
type charge struct {
	cpu, p99 rise
	cores    float64 // that surely come on top
	drops    float64 // share beyond what was dropped before
	dropped  float64 // messages, in the time looked at
}

// chargeOf compares production of late with what it was. Seconds with another
// load are left out: what a message costs depends on how many there are.
func chargeOf(late, before []row) charge {
	drops, dropped := moreDrops(late[max(0, len(late)-dropBlocks*blockSeconds):], before)
	usual := load(before)
	late = alike(late, before)
	before = alike(before, before)
	pick := func(rows []row, f func(row) float64) (out []float64) {
		for _, r := range rows {
			if v := f(r); !math.IsNaN(v) {
				out = append(out, v)
			}
		}
		return out
	}
	perMessage := func(r row) float64 { return r.cpu / r.delivered }
	p99 := func(r row) float64 { return r.p99 }
	c := charge{cpu: compare(pick(late, perMessage), pick(before, perMessage)), p99: compare(pick(late, p99), pick(before, p99))}
	c.cores = c.cpu.least * c.cpu.from * usual
	c.drops, c.dropped = drops, dropped
	return c
}

// load is how many messages a second are delivered as a rule.
func load(rows []row) float64 {
	var all []float64
	for _, r := range rows {
		if r.delivered > 0 {
			all = append(all, r.delivered)
		}
	}
	return medianOf(all)
}

// alike are the seconds with about the load that others have.
func alike(rows, others []row) (out []row) {
	usual := load(others)
	for _, r := range rows {
		if r.delivered > usual*0.8 && r.delivered < usual*1.25 {
			out = append(out, r)
		}
	}
	return out
}

// dropBlocks is over how many blocks drops are counted: few, because what is
// dropped is gone.
const dropBlocks = 2

// moreDrops is the share of messages that are dropped of late, and surely not
// before; where some are dropped always, that comes and goes.
func moreDrops(late, before []row) (share, dropped float64) {
	var was []float64
	for part := range slices.Chunk(before, blockSeconds) {
		s, _ := dropShare(part)
		was = append(was, s)
	}
	share, dropped = dropShare(late)
	if len(was) == 0 {
		return share, dropped
	}
	mean, square := 0.0, 0.0
	for _, s := range was {
		mean += s / float64(len(was))
	}
	for _, s := range was {
		square += (s - mean) * (s - mean) / float64(len(was))
	}
	return share - mean - sigmas*math.Sqrt(square/dropBlocks), dropped
}

func dropShare(rows []row) (share, dropped float64) {
	var all float64
	for _, r := range rows {
		if !math.IsNaN(r.drops) && !math.IsNaN(r.delivered) {
			dropped += r.drops
			all += r.drops + r.delivered
		}
	}
	if all == 0 {
		return 0, 0
	}
	return dropped / all, dropped
}

// harm names what is wrong with a charge, "" if nothing is.
func (c *charge) harm() (reason, detail string) {
	switch {
	case c.cpu.known && c.cpu.least > cpuRiseMax && c.cores > cpuLeast:
		return StopCPU, fmt.Sprintf("production spent %.1f µs of CPU on a message before and spends %.1f µs now: surely %.0f %% more, allowed are %.0f %%",
			c.cpu.from*1e6, c.cpu.to*1e6, 100*c.cpu.least, 100*cpuRiseMax)
	case c.p99.known && c.p99.least > p99RiseMax && c.p99.to-c.p99.from > p99Least:
		return StopP99, fmt.Sprintf("deliveries of production had a p99 of %.2f ms before and have one of %.2f ms now: surely %.0f %% more, allowed are %.0f %%",
			c.p99.from*1e3, c.p99.to*1e3, 100*c.p99.least, 100*p99RiseMax)
	case c.drops > dropShareMax && c.dropped >= dropsLeast:
		return StopDrops, fmt.Sprintf("production dropped %.0f messages within %d s, surely %.2f %% more of all than before; allowed are %.1f %%",
			c.dropped, dropBlocks*blockSeconds, 100*c.drops, 100*dropShareMax)
	}
	return "", ""
}

// Conditions under which an experiment stops by itself. The words of
// Options.Allow and of a report's stop.
const (
	StopCPU         = "cpu"         // production spends more CPU on a message than before
	StopP99         = "p99"         // its deliveries take longer
	StopDrops       = "drops"       // it drops more
	StopCondition   = "condition"   // what --stop-if says
	StopProduction  = "production"  // it does not answer, or was started again
	StopStream      = "stream"      // it has ended the tee
	StopShadow      = "shadow"      // a shadow does not answer, was started again, or refuses its knobs
	StopDriver      = "driver"      // this machine cannot keep up
	StopDisk        = "disk"        // there is no room for what is written
	StopInterrupted = "interrupted" // by who runs it
)

// Allowable are the conditions that may be ignored.
func Allowable() []string { return []string{StopCPU, StopP99, StopDrops, StopDriver} }

// ParseStop reads a condition over the names of StopNames.
func ParseStop(text string) (*guard.Expr, error) {
	e, err := guard.Parse(text)
	if err != nil {
		return nil, err
	}
	return e, e.Check(StopNames())
}
