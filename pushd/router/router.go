// Package router says which connections a user has: users and groups to
// handles, many to many, and for resumable users the last messages. State of
// users lies outside the Go heap and holds no pointers.
//
// A connection keeps one Link, the head of the list of its users; only the
// loop that owns the connection changes that list, everybody may read it.
package router

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

const (
	shardBits = 6
	shards    = 1 << shardBits
)

// What a login can be refused for.
var (
	ErrName     = errors.New("a user name has 1 to 255 bytes; use a shorter name")
	ErrUsers    = errors.New("too many users on this connection; log one out first or raise the knob conn.users_max")
	ErrSessions = errors.New("too many connections of this user; close one first or raise the knob user.sessions_max")
	ErrFull     = errors.New("the table of users is full; start the node with room for more users")
)

// Config is what New needs.
type Config struct {
	// UsersMax is how many users the table can hold, at most 64 million. Only
	// address space is reserved for it. 0 is 4 million.
	UsersMax int
	Loops    int // of the node, at most push.LoopMax+1
	Messages *slab.Messages
	Knobs    Knobs
	Clock    func() uint32 // the node's wrapping millisecond clock
}

// Router is the register of one node. All its methods may be called from any
// goroutine.
type Router struct {
	Groups

	// Static after construction.
	msgs  *slab.Messages
	knobs Knobs
	clock func() uint32
	seed  maphash.Seed // per router, so that nobody can aim names at one slot
	mem   *slab.Mapping

	shards    [shards]shard
	ringBytes atomic.Int64
	giving    sync.Mutex // held by whoever makes rings give way
}

// Counts is how much a router holds.
type Counts struct {
	Users     int64 // with at least one session
	Links     int64 // user-session pairs
	Rings     int64 // replay rings that exist, also of users just gone
	RingBytes int64 // messages held by rings; a message in two rings counts twice
	Names     int64 // user records: online or kept for their ring
	Groups    int64
}

// New makes an empty router.
func New(c Config) (*Router, error) {
	if c.UsersMax <= 0 {
		c.UsersMax = 4 << 20
	}
	r := &Router{msgs: c.Messages, knobs: c.Knobs, clock: c.Clock, seed: maphash.MakeSeed()}
	r.Groups.init(max(1, c.Loops), c.Knobs.GroupsMax)
	var err error
	if r.mem, err = slab.Map("router", layout(&r.shards, min(c.UsersMax, 64<<20))); err != nil {
		return nil, err
	}
	for i := range r.shards {
		r.shards[i].open(r, r.mem, uint32(i))
	}
	return r, nil
}

// Close gives the memory back. Nothing may be called afterwards.
func (r *Router) Close() error {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for s.lru.first != 0 {
			s.emptyRing(s.lru.first)
		}
		s.mu.Unlock()
	}
	return r.mem.Close()
}

// Counts locks each shard in turn; the sums are of slightly different moments.
func (r *Router) Counts() Counts {
	c := Counts{RingBytes: r.ringBytes.Load(), Groups: r.Groups.Len()}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		c.Users += int64(s.userFree.live) - int64(s.offline)
		c.Names += int64(s.userFree.live)
		c.Links += int64(s.sessions)
		c.Rings += int64(s.ringFree.live)
		s.mu.Unlock()
	}
	return c
}

// MemoryBytes returns the bytes of the router's mapping that exist in memory.
func (r *Router) MemoryBytes() int64 {
	n, err := r.mem.Used()
	if err != nil {
		return 0
	}
	return n
}

// shardOf uses the high bits of the hash for the shard and leaves the low ones
// for the place in its table.
func (r *Router) shardOf(h uint64) *shard { return &r.shards[h>>(64-shardBits)] }

func (r *Router) lookup(user []byte) (*shard, uint32) {
	h := maphash.Bytes(r.seed, user)
	return r.shardOf(h), uint32(h)
}

// Outcome is what Route found.
type Outcome uint8

// The outcomes.
const (
	Absent Outcome = iota // the user has no connection here
	Kept                  // absent, but held for a user just gone
	Routed                // at least one connection
)

// Route looks the user up and appends its connections to dst. If the user has
// a replay ring, the message is added to it, with a reference of the ring's
// own, and pos is its position; otherwise pos is 0.
func (r *Router) Route(user []byte, msg slab.Ref, dst []push.Handle) (handles []push.Handle, pos uint32, o Outcome) {
	s, tag := r.lookup(user)
	s.mu.Lock()
	_, u := s.find(tag, user)
	if u == 0 {
		s.mu.Unlock()
		return dst, 0, Absent
	}
	n, held := len(dst), false
	dst = s.handles(u, dst)
	if s.users[u].ring != 0 {
		pos, held = s.append(u, msg)
	}
	s.mu.Unlock()
	if held && r.ringBytes.Load() > r.knobs.ReplayBytes.Get() {
		r.giveWay()
	}
	switch {
	case len(dst) > n:
		return dst, pos, Routed
	case held:
		return dst, pos, Kept
	}
	return dst, pos, Absent
}

// Sessions returns the connections of a user.
func (r *Router) Sessions(user string) []push.Handle {
	s, tag := r.lookup([]byte(user))
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u := s.find(tag, []byte(user))
	if u == 0 {
		return nil
	}
	return s.handles(u, nil)
}

// Held returns the number of messages in a user's replay ring.
func (r *Router) Held(user string) int {
	s, tag := r.lookup([]byte(user))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, u := s.find(tag, []byte(user)); u != 0 {
		if g := s.users[u].ring; g != 0 {
			return int(s.rings[g].count)
		}
	}
	return 0
}
