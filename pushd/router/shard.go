package router

import (
	"sync"
	"unsafe"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// shard holds the users whose hash begins with its number. Everything below mu
// is guarded by it; no two shards are ever locked at once.
type shard struct {
	r     *Router
	index uint32

	mu       sync.Mutex
	table    []slot // its whole reserved length; mask says how much is used
	mask     uint32
	users    []user
	links    []link
	blocks   []block
	rings    []ring
	nodes    []node
	userFree freelist
	linkFree freelist
	blkFree  freelist
	ringFree freelist
	nodeFree freelist
	sessions uint32 // user-session pairs
	offline  uint32 // users kept for their ring only
	floor    uint32 // position from which the next ring numbers on
	lru      list   // rings with messages, least recently used first
	gone     list   // rings without sessions, in the order they became so

	off offsets
}

// user is a record of 36 bytes. Its first session lies in it; most users have
// no other.
type user struct {
	name [nameSize]byte
	handle
	next Link   // the connection's next user
	more uint32 // further sessions; threads the free list when the record is free
	ring uint32 // replay ring; 0 when not resumable
}

// link is a further session of a user, 20 bytes.
type link struct {
	handle
	next Link   // the connection's next user
	more uint32 // the user's next session
	user uint32
}

// handle is a push.Handle aligned to four bytes.
type handle struct{ lo, hi uint32 }

func (h handle) get() push.Handle   { return push.Handle(h.hi)<<32 | push.Handle(h.lo) }
func (h *handle) set(v push.Handle) { h.lo, h.hi = uint32(v), uint32(v>>32) }

// offsets of a shard's columns in the mapping, and their lengths.
type offsets struct{ table, users, links, blocks, rings, nodes column }

type column struct{ off, n int64 }

func take[T any](l *slab.Layout, n int64) column {
	var zero T
	return column{l.Take(n * int64(unsafe.Sizeof(zero))), n}
}

func view[T any](m *slab.Mapping, c column) []T { return slab.Slice[T](m, c.off, c.n) }

// tableMin is the first size of a shard's hash table.
const tableMin = 16

// layout reserves the columns of all shards. The hash spreads users unevenly,
// so each shard has a fifth more than its share.
func layout(all *[shards]shard, users int) int64 {
	n := int64(users)/shards*6/5 + 256
	table := int64(tableMin)
	for table*3/4 < n {
		table *= 2
	}
	var l slab.Layout
	for i := range all {
		all[i].off = offsets{
			table: take[slot](&l, table), users: take[user](&l, n+1), links: take[link](&l, 4*n+1),
			blocks: take[block](&l, 4*n+1), rings: take[ring](&l, n+1), nodes: take[node](&l, 4*n+1<<16)}
	}
	return l.Size()
}

func (s *shard) open(r *Router, m *slab.Mapping, index uint32) {
	s.r, s.index, s.mask = r, index, tableMin-1
	o := &s.off
	s.table, s.users, s.links = view[slot](m, o.table), view[user](m, o.users), view[link](m, o.links)
	s.blocks, s.rings, s.nodes = view[block](m, o.blocks), view[ring](m, o.rings), view[node](m, o.nodes)
}

// freelist hands out indices from 1. The list of given back ones is threaded
// through a field of the records, which the caller names.
type freelist struct{ first, high, live uint32 }

// take returns 0 when all max records are in use.
func (f *freelist) take(max int, next func(uint32) *uint32) uint32 {
	i := f.first
	switch {
	case i != 0:
		f.first = *next(i)
	case int(f.high)+1 < max:
		f.high++
		i = f.high
	default:
		return 0
	}
	f.live++
	return i
}

func (f *freelist) give(i uint32, next *uint32) {
	*next = f.first
	f.first = i
	f.live--
}
