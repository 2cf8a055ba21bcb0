// Package why ranks who holds a connection back: the client, the network, the
// publisher or the node. It takes evidence and gives a verdict, and asks
// nobody. Room of ARCHITECTURE.md: imports internal/pushdapi and pushctl/table.
package why

import (
	"cmp"
	"slices"

	"pushfleet/internal/pushdapi"
)

// Evidence is what is known of a connection over a time. What is not known is
// nil and counts neither for nor against anybody.
type Evidence struct {
	Seen  *pushdapi.Watched
	Locks *Locks // seen by a probe of the node's process
	Sched *Sched
	GC    *GC
	// Missing is evidence that could not be had.
	Missing []Missing
}

// Locks are waits for the node's locks while the connection was watched.
type Locks struct {
	Seconds float64 `json:"seconds"` // watched; it may be less than asked for
	Loops   float64 `json:"loops"`   // seconds that loops waited, all together
	Sites   []Lock  `json:"sites"`   // those of loops first, then by time
}

// Lock is a line that waits for a lock.
type Lock struct {
	Func   string  `json:"func"`
	Place  string  `json:"place,omitempty"` // file:line
	Count  uint64  `json:"count"`
	Total  float64 `json:"total_seconds"`
	P99    float64 `json:"p99_seconds"`
	OnLoop bool    `json:"on_loop"`
}

// Sched is how the threads of the node waited for a processor.
type Sched struct {
	Seconds float64 `json:"seconds"` // watched
	Waits   uint64  `json:"waits"`
	Total   float64 `json:"total_seconds"`
	P99     float64 `json:"p99_seconds"`
	Max     float64 `json:"max_seconds"`
}

// GC is what a probe saw of the node's collector.
type GC struct {
	Seconds  float64 `json:"seconds"` // watched
	Cycles   int     `json:"cycles"`
	PauseP99 float64 `json:"pause_p99_seconds"`
	PauseMax float64 `json:"pause_max_seconds"`
	Mark     float64 `json:"mark_seconds"` // a collection was under way
}

// Missing is evidence that could not be had, and how to get it.
type Missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
	Do   string `json:"do,omitempty"`
}

// Kind is who holds a connection back.
type Kind string

// The kinds.
const (
	Healthy   Kind = "healthy" // nobody does
	Client    Kind = "client"
	Network   Kind = "network"
	Publisher Kind = "publisher"
	Node      Kind = "node"
	Unsure    Kind = "unsure" // the evidence does not decide
)

// Causes, by kind.
const (
	Slow    = "slow"    // client: reads, less than is sent
	Stalled = "stalled" // client: reads nothing

	Loss   = "loss"   // network: segments are lost
	Full   = "full"   // network: carries less than is sent
	Silent = "silent" // network: nothing comes back

	Burst = "burst" // publisher: far more than usual

	CPU       = "cpu"       // node: no processor to be had
	LockWait  = "lock"      // node: its loops wait for a lock
	Collector = "gc"        // node: garbage collection
	Turns     = "turns"     // node: its loop has long turns
	Broadcast = "broadcast" // node: its loop has long turns, of broadcasts
	Buffer    = "buffer"    // node: send buffer too small
	Late      = "late"      // node: its loop is late, and nothing says why
	Held      = "held"      // node: it does not write what waits
)

// Candidate is one who may hold a connection back.
type Candidate struct {
	Kind     Kind     `json:"kind"`
	Cause    string   `json:"cause,omitempty"`
	Score    float64  `json:"score"`    // 0 to 1
	Strength string   `json:"strength"` // strong, likely, weak or none
	Evidence []string `json:"evidence"`
}

// Verdict is who holds a connection back, and what speaks for it.
type Verdict struct {
	Kind     Kind    `json:"kind"`
	Cause    string  `json:"cause,omitempty"`
	Sentence string  `json:"sentence"`
	Held     float64 `json:"held"` // 0: nothing is held back, 1: much is
	// Candidates are all four, the strongest first.
	Candidates []Candidate     `json:"candidates"`
	Missing    []Missing       `json:"missing,omitempty"`
	Try        []pushdapi.Hint `json:"try,omitempty"`
}

// From where on scores decide.
const (
	heldLeast  = 0.4  // below, nobody holds it back
	scoreLeast = 0.4  // below, a candidate is not named
	aheadLeast = 0.15 // of the next, to be named
)

// Judge ranks the candidates. It accepts any evidence, also none.
func Judge(e Evidence) Verdict {
	f := read(&e)
	v := Verdict{Held: f.held(), Candidates: f.candidates(), Missing: e.Missing}
	top := &v.Candidates[0]
	switch {
	case e.Seen == nil:
		v.Kind, v.Sentence = Unsure, "Nothing is known of the connection."
	case v.Held < heldLeast:
		v.Kind, v.Sentence = Healthy, f.healthySentence()
	case top.Score < scoreLeast:
		v.Kind, v.Sentence = Unsure, f.unsureSentence()
	case top.Score-v.Candidates[1].Score < aheadLeast:
		v.Kind, v.Sentence = Unsure, f.betweenSentence(top, &v.Candidates[1])
	default:
		v.Kind, v.Cause, v.Sentence = top.Kind, top.Cause, f.sentence(top)
	}
	v.Try = f.hints(v.Kind, v.Cause)
	return v
}

// candidates are all four, the strongest first.
func (f *facts) candidates() []Candidate {
	client, network, publisher := f.client(), f.network(), f.publisher()
	all := []Candidate{client, network, publisher, f.node(max(client.Score, network.Score, publisher.Score))}
	for i := range all {
		all[i].Strength = strength(all[i].Score)
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return all
}

// strength is a score in a word.
func strength(score float64) string {
	switch {
	case score >= 0.75:
		return "strong"
	case score >= scoreLeast:
		return "likely"
	case score >= 0.2:
		return "weak"
	}
	return "none"
}

// ramp is 0 up to low, 1 from high on, and a straight line between. A value
// that is no number counts as 0.
func ramp(v, low, high float64) float64 {
	if !(v > low) {
		return 0
	}
	return min(1, (v-low)/(high-low))
}
