package experiment

import (
	"math"
	"slices"
	"time"

	"pushfleet/internal/pushdapi"
)

// reading is what the stats of a node say, as far as series are made of it.
// What counts counts since the node started.
type reading struct {
	at        float64 // seconds since the experiment began
	uptime    float64
	cpu       float64 // seconds
	delivered float64
	dropped   float64
	writes    float64
	wouldWait float64
	switches  float64
	cycles    float64
	paused    float64 // seconds
	pss       float64 // bytes
	own       float64 // of them, without pages of files; 0: not known
	conns     float64
	queued    float64 // mean of the last second
}

func readingOf(s *pushdapi.Stats, at float64) reading {
	r := reading{at: at, uptime: s.UptimeSeconds,
		cpu:       s.Process.CPUUserSeconds + s.Process.CPUSystemSeconds,
		delivered: float64(s.Totals.Delivered), writes: float64(s.Totals.Writes), wouldWait: float64(s.Totals.WouldWait),
		switches: float64(s.Process.VoluntarySwitch), cycles: float64(s.Process.GCCycles), paused: float64(s.Process.GCPaused) / 1e9,
		pss: float64(s.Memory.PSSBytes), own: float64(s.Memory.OwnBytes), conns: float64(s.Connections.Total), queued: s.Queued.Level.S1}
	for _, n := range s.DroppedBy {
		r.dropped += float64(n)
	}
	if len(s.SilentLoop) > 0 { // sums that lack a loop are none
		r.delivered, r.dropped, r.writes, r.wouldWait, r.queued = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
	}
	return r
}

// likeMemory has all sides compared by PSS if one of them, an older build, does
// not tell what is its own.
func likeMemory(sides []*side) {
	lacks := func(r reading) bool { return r.own == 0 && r.pss > 0 }
	if !slices.ContainsFunc(sides, func(s *side) bool { return slices.ContainsFunc(s.readings, lacks) }) {
		return
	}
	for _, s := range sides {
		for i := range s.readings {
			s.readings[i].own = s.readings[i].pss
		}
	}
}

// gapMax is how far apart two readings may be of which a difference is made.
const gapMax = 3.5

// follows tells whether a difference of the two means something.
func (r *reading) follows(before *reading) bool {
	return r.at > before.at && r.at-before.at <= gapMax && r.uptime > before.uptime
}

// restarted tells whether the node is another process than it was.
func (r *reading) restarted(before *reading) bool {
	const slack = 2 // answers overtake each other by less
	return r.uptime < before.uptime-slack
}

// offset is how far the node's clock is ahead of ours, in seconds: an answer is
// taken to be of the middle between question and arrival.
func offset(s *pushdapi.Stats, asked, got time.Time) float64 {
	return s.At.Sub(asked.Add(got.Sub(asked) / 2)).Seconds()
}
