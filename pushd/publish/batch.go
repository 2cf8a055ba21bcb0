package publish

import (
	"hash/maphash"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
)

// batch collects the items of some messages by loop, so that each loop is
// posted to once, and woken once, for all of them. It belongs to one goroutine.
type batch struct {
	p       *Publisher
	at      int64            // time of publish, ns
	receipt *receipt.Receipt // nil: nobody asks
	items   [][]reactor.Item // by loop
	handles []push.Handle
	hash    maphash.Hash
	tally   tally
	send    Send

	mirrored teewire.Message // a local one would escape to the heap
	scratch  []byte
}

func (p *Publisher) newBatch() *batch {
	b := &batch{p: p, items: make([][]reactor.Item, p.Loops.Count())}
	b.hash.SetSeed(p.seed)
	return b
}

// begin starts a batch whose messages count as published now.
func (b *batch) begin(r *receipt.Receipt) {
	b.at, b.receipt, b.tally = b.p.Clock(), r, tally{}
}

// add routes one parsed message to its users, its group or everybody.
func (b *batch) add(s *Send) {
	switch {
	case s.User.given():
		b.toUser(s, &s.User)
	case len(s.Users) > 0:
		for i := range s.Users {
			b.toUser(s, &s.Users[i])
		}
	default:
		b.toMany(s)
	}
}

func (b *batch) toUser(s *Send, user *Text) {
	if b.mirrors() {
		b.mirror(s, user)
	}
	var id uint64
	if s.ID.given() {
		if id = b.idHash(s, user); b.duplicate(id) {
			b.drop(s, user, push.DropDuplicate)
			return
		}
	}
	msg, ok := b.message(s, user)
	if !ok {
		b.forget(id)
		b.drop(s, user, push.DropMemory)
		return
	}
	handles, pos, o := b.p.Router.Route(user.Val, msg, b.handles[:0])
	b.handles = handles
	b.tally.published++
	if o != router.Routed {
		b.absent(o, id)
		b.p.Messages.Release(msg)
	} else {
		b.retain(msg, len(handles))
		for _, h := range handles {
			b.put(h.Loop(), reactor.Item{H: h, Msg: msg, Pos: pos})
		}
	}
	if t := b.p.trace.Load(); t != nil {
		(*t)(user.Val, s, handles, o, push.DropNone)
	}
}

// absent counts a user without a connection. Unless the message is held for
// it, it may be sent again with the same id.
func (b *batch) absent(o router.Outcome, id uint64) {
	b.tally.absent++
	if o == router.Kept {
		b.tally.kept++
	} else {
		b.forget(id)
	}
}

// toMany sends to the members of a group, or to all connections: one item per
// loop that is concerned.
func (b *batch) toMany(s *Send) {
	if b.mirrors() {
		b.mirror(s, nil)
	}
	var id uint64
	if s.ID.given() {
		if id = b.idHash(s, &s.Group); b.duplicate(id) {
			b.drop(s, nil, push.DropDuplicate)
			return
		}
	}
	it := reactor.Item{Kind: reactor.KindAll}
	var on router.LoopSet
	if s.Group.given() {
		idx, _, loops, _ := b.p.Router.GroupLookup(s.Group.Val) // not found: on no loop
		it.Kind, it.H, on = reactor.KindGroup, push.Handle(idx), loops
	}
	var ok bool
	if it.Msg, ok = b.message(s, nil); !ok {
		b.forget(id)
		b.drop(s, nil, push.DropMemory)
		return
	}
	b.tally.published++
	n := 0
	for loop := range b.items {
		if it.Kind == reactor.KindAll || on.Has(loop) {
			b.put(loop, it)
			n++
		}
	}
	if n == 0 {
		b.forget(id)
	}
	b.retain(it.Msg, n)
}

func (b *batch) retain(msg slab.Ref, n int) {
	switch {
	case n == 0:
		b.p.Messages.Release(msg)
	case n > 1:
		b.p.Messages.Retain(msg, int32(n-1))
	}
}

func (b *batch) put(loop int, it reactor.Item) {
	it.Receipt = b.receipt.ID()
	b.items[loop] = append(b.items[loop], it)
}

// drop counts a message that reaches no loop.
func (b *batch) drop(s *Send, user *Text, why push.DropReason) {
	b.tally.dropped[why]++
	b.receipt.Count(why, 1)
	if t := b.p.trace.Load(); t != nil && user != nil {
		(*t)(user.Val, s, nil, router.Absent, why)
	}
}

// message encodes the shared part of the frame.
func (b *batch) message(s *Send, user *Text) (slab.Ref, bool) {
	meta := slab.Meta{At: b.at, Class: s.Class}
	if s.TTL > 0 {
		meta.Deadline = max(1, reactor.MS(b.at+int64(s.TTL))) // 0 would be none
	}
	if s.Key.given() {
		meta.Key = b.keyHash(s, user)
	}
	n := s.tailLen(user)
	msg, tail, ok := b.p.Messages.New(n, meta)
	if ok {
		s.appendTail(tail[:0], user)
	}
	return msg, ok
}

// keyHash tells apart what may replace each other in a queue: the same key for
// the same user or group.
func (b *batch) keyHash(s *Send, user *Text) uint32 {
	if user == nil {
		user = &s.Group
	}
	return max(1, uint32(b.sum(user.Val, s.Key.Val)))
}

func (b *batch) idHash(s *Send, to *Text) uint64 { return max(1, b.sum(to.Val, s.ID.Val)) }

// sum hashes two names; the zero byte and the length keep ("ab","c") from
// being ("a","bc").
func (b *batch) sum(x, y []byte) uint64 {
	b.hash.Reset()
	b.hash.WriteByte(byte(len(x)))
	b.hash.Write(x)
	b.hash.Write(y)
	return b.hash.Sum64()
}

func (b *batch) duplicate(id uint64) bool {
	window := b.p.Knobs.DedupWindow.Get()
	return window > 0 && b.p.dedup.seen(id, reactor.MS(b.at), uint32(window/time.Millisecond))
}

func (b *batch) forget(id uint64) {
	if id != 0 {
		b.p.dedup.forget(id)
	}
}

// post hands what was collected to the loops. What a full inbox refuses is
// offered again until wait is over, then dropped. It must be called holding a
// place of publish.concurrency, which it gives away while it waits.
func (b *batch) post(wait time.Duration) {
	var until time.Time
	for loop, items := range b.items {
		if len(items) == 0 {
			continue
		}
		b.receipt.Expect(uint32(len(items)))
		rest := items[b.p.Loops.Post(loop, items):]
		for pause := time.Duration(0); len(rest) > 0; {
			if until.IsZero() {
				until = time.Now().Add(wait)
			}
			if !time.Now().Before(until) || b.p.draining.Load() {
				b.refuse(rest)
				break
			}
			pause = min(2*pause+pauseMin, pauseMax)
			b.p.release()
			time.Sleep(pause)
			b.p.acquire()
			rest = rest[b.p.Loops.Post(loop, rest):]
		}
		b.items[loop] = items[:0]
	}
	b.p.count.add(&b.tally)
}

// The pauses between two offers to a full inbox.
const (
	pauseMin = 100 * time.Microsecond
	pauseMax = 10 * time.Millisecond
)

// refuse drops items that their loop's inbox did not take.
func (b *batch) refuse(items []reactor.Item) {
	for i := range items {
		b.p.Messages.Release(items[i].Msg)
	}
	b.receipt.Settle(push.DropInboxFull, uint32(len(items)))
	b.tally.dropped[push.DropInboxFull] += uint32(len(items))
}
