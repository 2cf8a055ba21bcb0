// Package queue holds what waits for each connection: a bounded list of
// message references with its policy, and the decayed windows that describe
// it. It knows no socket. A Set belongs to one loop.
package queue

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/stats"
)

// Q is one connection's queue, part of its record: 40 bytes, no pointers. The
// zero value is an empty queue.
type Q struct {
	head, tail uint32 // nodes; 0 none
	Count      uint32 // messages waiting
	Bytes      uint32 // their tails, in bytes
	HeadOff    uint32 // bytes of the first message's frame already in the socket
	Seq        uint32 // number of the message offered last
	Sent       uint32 // number of the message the client heard of last, sent or in a gap
	accounted  uint32 // Seq at the last Account
	win        uint32 // window of this connection; 0 none yet
	why        push.DropReason
}

// Why is the reason of the latest drop.
func (q *Q) Why() push.DropReason { return q.why }

// Node is one message waiting, 24 bytes.
type Node struct {
	next uint32
	Msg  slab.Ref
	Seq  uint32
	Pos  uint32
	At   uint32 // ms clock when it was offered
	Len  uint32 // bytes of the tail
}

// Set holds the queues of one loop.
type Set struct {
	Knobs Knobs
	Cols  *stats.Columns
	// Messages and MessageBytes sum all queues of the loop.
	Messages, MessageBytes int64
	// Dropped counts messages dropped from queues, by reason.
	Dropped [push.DropReasonCount]uint64

	bin     *slab.Bin
	msgs    *slab.Messages
	mapping *slab.Mapping
	nodes   []Node
	free    uint32
	high    uint32
	live    uint32
	wins    slab.Slots
}

// New makes a Set whose queues hold at most nodesMax messages together; wins
// threads the free windows of cols and has its length.
func New(name string, nodesMax int64, msgs *slab.Messages, cols *stats.Columns, wins []uint32, k Knobs) (*Set, error) {
	m, err := slab.Map(name, nodesMax*int64(unsafe.Sizeof(Node{})))
	if err != nil {
		return nil, fmt.Errorf("queues: %w", err)
	}
	return &Set{Knobs: k, Cols: cols, msgs: msgs, bin: msgs.NewBin(256), mapping: m,
		nodes: slab.Slice[Node](m, 0, nodesMax), high: 1, wins: slab.NewSlots(wins)}, nil
}

// Close unmaps the queues.
func (s *Set) Close() error { return s.mapping.Close() }

// Bin frees messages for the loop.
func (s *Set) Bin() *slab.Bin { return s.bin }

// Nodes is the number of messages waiting in all queues of the loop.
func (s *Set) Nodes() uint32 { return s.live }

// Offer appends a message to a queue and takes over the caller's reference.
// The reason is DropNone when it waits now; with PolicyDisconnect a full queue
// answers DropDisconnect and the connection is to be closed.
func (s *Set) Offer(q *Q, slot uint32, msg slab.Ref, pos, now uint32) push.DropReason {
	m := s.msgs.Meta(msg)
	q.Seq++
	if m.Key != 0 && s.policy(m) == push.PolicyCoalesce && s.replace(q, slot, msg, m, pos, now) {
		return push.DropNone
	}
	if !s.fits(q, m.Len) {
		if r := s.makeRoom(q, slot, m); r != push.DropNone {
			s.drop(q, slot, msg, r)
			return r
		}
	}
	i, ok := s.take()
	if !ok {
		s.drop(q, slot, msg, push.DropMemory)
		return push.DropMemory
	}
	s.nodes[i] = Node{Msg: msg, Seq: q.Seq, Pos: pos, At: now, Len: m.Len}
	if q.tail == 0 {
		q.head = i
	} else {
		s.nodes[q.tail].next = i
	}
	q.tail = i
	s.grow(q, 1, int64(m.Len))
	return push.DropNone
}

func (s *Set) grow(q *Q, n int, bytes int64) {
	q.Count = uint32(int64(q.Count) + int64(n))
	q.Bytes = uint32(int64(q.Bytes) + bytes)
	s.Messages += int64(n)
	s.MessageBytes += bytes
}

func (s *Set) fits(q *Q, n uint32) bool {
	return int64(q.Count) < s.Knobs.MessagesMax.Get() && int64(q.Bytes)+int64(n) <= s.Knobs.BytesMax.Get()
}

func (s *Set) policy(m *slab.Meta) push.Policy {
	return push.Policy(s.Knobs.Policy[m.Class].Get())
}

// makeRoom applies the class's policy to a full queue.
func (s *Set) makeRoom(q *Q, slot uint32, m *slab.Meta) push.DropReason {
	switch s.policy(m) {
	case push.PolicyDropNewest:
		return push.DropOverflow
	case push.PolicyDisconnect:
		return push.DropDisconnect
	}
	// One that would not fit alone must not cost the others their place.
	alone := Q{}
	if q.HeadOff > 0 {
		alone.Count, alone.Bytes = 1, s.nodes[q.head].Len
	}
	if !s.fits(&alone, m.Len) {
		return push.DropOverflow
	}
	for !s.fits(q, m.Len) {
		if !s.dropFirst(q, slot, push.DropOverflow) {
			return push.DropOverflow
		}
	}
	return push.DropNone
}

// replace puts the message in the place of a waiting one of the same key and
// class. The newcomer goes to the end: its number is the newest, and numbers
// must not run backwards.
func (s *Set) replace(q *Q, slot uint32, msg slab.Ref, m *slab.Meta, pos, now uint32) bool {
	prev := uint32(0)
	for i := q.head; i != 0; prev, i = i, s.nodes[i].next {
		old := s.msgs.Meta(s.nodes[i].Msg)
		if old.Key != m.Key || old.Class != m.Class || i == q.head && q.HeadOff > 0 {
			continue
		}
		// Decide before unlinking whether the newcomer may stay.
		if int64(q.Bytes)-int64(s.nodes[i].Len)+int64(m.Len) > s.Knobs.BytesMax.Get() {
			return false
		}
		s.unlink(q, slot, prev, i, push.DropCoalesced)
		j, _ := s.take() // the node just freed, at least
		s.nodes[j] = Node{Msg: msg, Seq: q.Seq, Pos: pos, At: now, Len: m.Len}
		if q.tail == 0 {
			q.head = j
		} else {
			s.nodes[q.tail].next = j
		}
		q.tail = j
		s.grow(q, 1, int64(m.Len))
		return true
	}
	return false
}

// dropFirst drops the oldest message that is not partly written.
func (s *Set) dropFirst(q *Q, slot uint32, r push.DropReason) bool {
	prev, i := uint32(0), q.head
	if i != 0 && q.HeadOff > 0 {
		prev, i = i, s.nodes[i].next
	}
	if i == 0 {
		return false
	}
	s.unlink(q, slot, prev, i, r)
	return true
}

func (s *Set) unlink(q *Q, slot, prev, i uint32, r push.DropReason) {
	n := s.nodes[i]
	if prev == 0 {
		q.head = n.next
	} else {
		s.nodes[prev].next = n.next
	}
	if q.tail == i {
		q.tail = prev
	}
	s.grow(q, -1, -int64(n.Len))
	s.give(i)
	s.drop(q, slot, n.Msg, r)
}

func (s *Set) drop(q *Q, slot uint32, msg slab.Ref, r push.DropReason) {
	q.why = r
	s.bin.Release(msg)
	s.Dropped[r]++
	s.Cols.AddDrops(slot, 1)
}

// First returns the oldest message waiting, nil if none. Messages whose time
// to live has ended are dropped on the way, unless partly written.
func (s *Set) First(q *Q, slot, now uint32) *Node {
	for q.head != 0 {
		n := &s.nodes[q.head]
		if q.HeadOff > 0 || !s.Expired(n, now) {
			return n
		}
		s.dropFirst(q, slot, push.DropTTL)
	}
	return nil
}

// After returns the message behind n, nil if none. It does not look at the
// time to live: such a message is dropped when it comes first.
func (s *Set) After(n *Node) *Node {
	if n.next == 0 {
		return nil
	}
	return &s.nodes[n.next]
}

// Pop removes the first message, which is now wholly in the socket.
func (s *Set) Pop(q *Q) {
	n := s.nodes[q.head]
	i := q.head
	q.head = n.next
	if q.head == 0 {
		q.tail = 0
	}
	q.HeadOff, q.Sent = 0, n.Seq
	s.grow(q, -1, -int64(n.Len))
	s.give(i)
	s.bin.Release(n.Msg)
}

// Tail returns the shared part of a waiting message's frame.
func (s *Set) Tail(n *Node) []byte { return s.msgs.Tail(n.Msg) }

// PublishedAt is when the API read the message, in ns of the node's clock.
func (s *Set) PublishedAt(n *Node) int64 { return s.msgs.Meta(n.Msg).At }

// Oldest is the ms clock at which the first waiting message was offered.
func (s *Set) Oldest(q *Q) (at uint32, ok bool) {
	if q.head == 0 {
		return 0, false
	}
	return s.nodes[q.head].At, true
}

// Head returns the first message waiting, whatever its time to live; nil if none.
func (s *Set) Head(q *Q) *Node {
	if q.head == 0 {
		return nil
	}
	return &s.nodes[q.head]
}

// Expired tells that a message's time to live has ended.
func (s *Set) Expired(n *Node, now uint32) bool {
	d := s.msgs.Meta(n.Msg).Deadline
	return d != 0 && int32(now-d) >= 0
}

// OldestRacy is Oldest for any goroutine: the queue may change meanwhile, so
// the answer may be of a message just gone.
func (s *Set) OldestRacy(q *Q) (at uint32, ok bool) {
	i := atomic.LoadUint32(&q.head)
	if i == 0 || i >= uint32(len(s.nodes)) {
		return 0, false
	}
	return atomic.LoadUint32(&s.nodes[i].At), true
}

// DropWaiting drops all messages but one that is partly written.
func (s *Set) DropWaiting(q *Q, slot uint32, r push.DropReason) {
	for s.dropFirst(q, slot, r) {
	}
}

// Discard drops all messages and the window, when the connection ends.
func (s *Set) Discard(q *Q, slot uint32, r push.DropReason) {
	q.HeadOff = 0
	s.DropWaiting(q, slot, r)
	s.FreeWindow(q)
	s.Cols.SetQueued(slot, 0, 0)
}

// Reset makes the queue as new, for another session on the same connection.
func (s *Set) Reset(q *Q, slot uint32) {
	s.Discard(q, slot, push.DropClosed)
	*q = Q{}
}

func (s *Set) take() (uint32, bool) {
	i := s.free
	switch {
	case i != 0:
		s.free = s.nodes[i].next
	case s.high < uint32(len(s.nodes)):
		i = s.high
		s.high++
	default:
		return 0, false
	}
	s.live++
	return i, true
}

// trimAbove is the number of nodes above which an empty set gives its memory
// back: 1.5 MB.
const trimAbove = 1 << 16

func (s *Set) give(i uint32) {
	s.nodes[i].next = s.free
	s.free = i
	s.live--
}

// Trim returns the memory of a past backlog to the kernel once nothing waits.
func (s *Set) Trim() {
	if s.live == 0 && s.high > trimAbove {
		_ = s.mapping.Discard(0, s.mapping.Len())
		s.free, s.high = 0, 1
	}
}
