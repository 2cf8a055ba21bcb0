package stats

import (
	"cmp"
	"math"
	"slices"

	"pushfleet/internal/decay"
	"pushfleet/internal/pushdapi"
)

// entry is a candidate for the answer.
type entry struct {
	score uint64 // larger is worse; never 0
	src   uint32 // index of its source
	slot  uint32
	win   uint32 // window+1, 0 none
	ident uint32
}

// ranking keeps the n entries with the largest scores. The root of the heap is
// the least of them and so the threshold: a scan compares each value with it
// and seldom does more. (A sorted array would move half of 1000 entries for
// every one of a million when they come in rising order.)
type ranking struct {
	n    int
	heap []entry
}

func (r *ranking) reset(n int) {
	r.n = n
	if cap(r.heap) < n {
		r.heap = make([]entry, 0, n)
	}
	r.heap = r.heap[:0]
}

// threshold is the score that a candidate must exceed.
func (r *ranking) threshold() uint64 {
	if len(r.heap) < r.n {
		return 0
	}
	return r.heap[0].score
}

// push adds e, which exceeds the threshold.
func (r *ranking) push(e entry) {
	if len(r.heap) < r.n {
		r.heap = append(r.heap, e)
		r.up(len(r.heap) - 1)
		return
	}
	r.heap[0] = e
	r.down()
}

func (r *ranking) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if r.heap[parent].score <= r.heap[i].score {
			return
		}
		r.heap[parent], r.heap[i] = r.heap[i], r.heap[parent]
		i = parent
	}
}

func (r *ranking) down() {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(r.heap) {
			return
		}
		if child+1 < len(r.heap) && r.heap[child+1].score < r.heap[child].score {
			child++
		}
		if r.heap[i].score <= r.heap[child].score {
			return
		}
		r.heap[i], r.heap[child] = r.heap[child], r.heap[i]
		i = child
	}
}

// sorted returns the entries, worst first; equal ones by source and slot.
func (r *ranking) sorted() []entry {
	slices.SortFunc(r.heap, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.src, b.src), cmp.Compare(a.slot, b.slot))
	})
	return r.heap
}

// floatScore turns a float into a score: those that are not negative compare as
// their bits do.
func floatScore(f float64) uint64 { return math.Float64bits(max(f, 0)) }

func floatOf(score uint64) float64 { return math.Float64frombits(score) }

// rowScore is the score of a row as it is shown, 0 when it has nothing to show.
func rowScore(by By, row *pushdapi.ConnRow) uint64 {
	switch by {
	case ByBytes:
		return uint64(row.Bytes)
	case ByWait:
		return waitScore(fromAPI(row.Wait))
	case ByDrain:
		return drainScore(fromAPI(row.Drain), uint32(row.Queued))
	case ByIn:
		return floatScore(row.In)
	case ByOut:
		return floatScore(row.Out)
	case ByDrops:
		return row.Drops
	case ByRTT:
		return floatScore(row.RTTSeconds)
	}
	return uint64(row.Queued)
}

// waitScore orders waits by their length; an unsure one by the shortest that
// the evidence allows.
func waitScore(e decay.Estimate) uint64 {
	switch e.State {
	case decay.Known:
		return floatScore(e.Seconds)
	case decay.Unsure:
		return max(floatScore(e.Low), 1)
	}
	return 0
}

// drainScore orders growing queues, the one that is full soonest first, before
// known drains, longest first, before unsure ones, longest queue first.
func drainScore(e decay.Estimate, queued uint32) uint64 {
	switch e.State {
	case decay.Growing:
		return 3<<62 | (math.MaxUint64-math.Float64bits(e.CapSeconds))>>2
	case decay.Known:
		return 2<<62 | floatScore(e.Seconds)>>2
	case decay.Unsure:
		return 1<<62 | uint64(queued)
	}
	return 0
}
