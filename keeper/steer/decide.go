// Package steer is what a leading keeper does by itself: it ends what has
// expired, takes rollouts from step to step, and takes back what broke a
// guard. What to do is decided by pure functions over what is seen.
package steer

import (
	"fmt"

	"pushfleet/internal/keeperapi"
)

// LateMax is how long after its soak time a rollout waits for nodes that have
// not applied it, in milliseconds. Then it is taken back: a change that a node
// does not even apply must not go further.
const LateMax = 30_000

// look is one running rollout as it is seen.
type look struct {
	now     keeperapi.Time
	rollout keeperapi.Rollout
	reached []reached // by name
}

// reached is one node that holds the rollout's values, or should.
type reached struct {
	id        string
	dead      bool   // its lease ran out
	connected bool   // has a session
	applied   bool   // holds the rollout's revision
	nacked    string // its reason, if it refused it
}

// verdict is what to do with a rollout.
type verdict struct {
	step  int    // ≥ 0: take this step; -1: nothing
	broke string // node that ends it
	why   string
}

// decide is the whole rule. A node that refuses the values, dies with them or
// does not apply them ends the rollout; otherwise the next step comes when the
// current one has soaked and all it reached have applied it.
func decide(l look) verdict {
	r := &l.rollout
	soaked := l.now >= r.SoakedAt()
	waiting := ""
	for _, n := range l.reached {
		switch {
		case n.nacked != "":
			return verdict{-1, n.id, "refused it: " + n.nacked}
		case n.dead && !r.All:
			return verdict{-1, n.id, "died with it"}
		case !n.applied && (n.connected || !r.All) && waiting == "":
			waiting = n.id
		}
	}
	switch {
	case !soaked:
		return verdict{step: -1}
	case waiting != "" && l.now >= r.SoakedAt()+LateMax:
		return verdict{-1, waiting, fmt.Sprintf("has not applied it %d s after its soak time", LateMax/1000)}
	case waiting != "":
		return verdict{step: -1}
	}
	return verdict{step: r.Step + 1}
}

// wake returns when the rollout should be looked at again without news.
func (l look) wake() keeperapi.Time {
	if at := l.rollout.SoakedAt(); at > l.now {
		return at
	}
	return l.rollout.SoakedAt() + LateMax
}
