package router

import (
	"errors"
	"sync"

	"pushfleet/internal/knob"
	"pushfleet/internal/push"
)

// What joining a group can be refused for.
var (
	ErrGroupName  = errors.New("a group name has 1 to 255 bytes; use a shorter name")
	ErrGroups     = errors.New("too many groups on this node; raise the knob groups.max")
	ErrConnGroups = errors.New("too many groups on this connection; leave one first or raise the knob conn.groups_max")
)

// LoopSet is a set of loop numbers.
type LoopSet [(push.LoopMax + 1) / 64]uint64

// Has tells whether a loop is in the set.
func (s *LoopSet) Has(loop int) bool { return s[loop>>6]&(1<<(loop&63)) != 0 }

func (s *LoopSet) set(loop int, in bool) {
	if in {
		s[loop>>6] |= 1 << (loop & 63)
	} else {
		s[loop>>6] &^= 1 << (loop & 63)
	}
}

// Groups names the groups with members on this node and counts the members by
// loop, so that a publish goes only to loops that have some. Who they are, each
// loop knows itself (Members). Safe for concurrent use.
//
// A group's index is not used again before all others were, so that a delivery
// under way when the last member leaves cannot reach another group.
type Groups struct {
	loops int
	max   *knob.Int

	mu     sync.RWMutex
	byName map[string]*group
	byID   map[uint32]*group
	last   uint32
}

type group struct {
	name    string
	id      uint32
	members int64
	on      LoopSet
	counts  []int32 // by loop
}

func (g *Groups) init(loops int, max *knob.Int) {
	g.loops, g.max = loops, max
	g.byName, g.byID = map[string]*group{}, map[uint32]*group{}
}

// GroupJoin counts one more member of a group on a loop and returns the
// group's index, never 0. Errors are ErrGroupName and ErrGroups.
func (g *Groups) GroupJoin(name string, loop int) (idx uint32, err error) {
	if name == "" || len(name) > push.GroupIDMax {
		return 0, ErrGroupName
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.byName[name]
	if e == nil {
		if int64(len(g.byName)) >= g.max.Get() {
			return 0, ErrGroups
		}
		e = &group{name: name, id: g.nextID(), counts: make([]int32, g.loops)}
		g.byName[name], g.byID[e.id] = e, e
	}
	e.members++
	e.counts[loop]++
	e.on.set(loop, true)
	return e.id, nil
}

func (g *Groups) nextID() uint32 {
	for {
		g.last++
		if g.last != 0 && g.byID[g.last] == nil {
			return g.last
		}
	}
}

// GroupLeave takes one member off. The last one takes the group with it.
func (g *Groups) GroupLeave(idx uint32, loop int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.byID[idx]
	if e == nil || e.counts[loop] == 0 {
		return
	}
	e.members--
	e.counts[loop]--
	e.on.set(loop, e.counts[loop] > 0)
	if e.members == 0 {
		delete(g.byName, e.name)
		delete(g.byID, idx)
	}
}

// GroupLookup finds a group by name: its index, its members on this node and
// the loops that have some.
func (g *Groups) GroupLookup(name []byte) (idx uint32, members int64, on LoopSet, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	e := g.byName[string(name)]
	if e == nil {
		return 0, 0, on, false
	}
	return e.id, e.members, e.on, true
}

// GroupName returns the name of an index; "" if the group has no members.
func (g *Groups) GroupName(idx uint32) string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if e := g.byID[idx]; e != nil {
		return e.name
	}
	return ""
}

// Len returns the number of groups.
func (g *Groups) Len() int64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return int64(len(g.byName))
}
