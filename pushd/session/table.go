// Package session is one client connection from accept to close: handshake,
// identity, messages in and out, heartbeat, goodbye. A Table holds the
// connections of one loop and is that loop's Handler; only the loop's
// goroutine may touch it, apart from the statistics columns.
package session

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pushfleet/internal/decay"
	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/pushd/auth"
	"pushfleet/pushd/queue"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/receipt"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/stats"
	"pushfleet/pushd/tap"
	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/poll"
	"pushfleet/pushd/wire/sse"
	"pushfleet/pushd/wire/stream"
	"pushfleet/pushd/wire/ws"
)

// Shared is what the tables of a node have in common. All of it is static
// after construction or safe for concurrent use.
type Shared struct {
	Node         push.NodeID
	Epoch        string
	Clock        *reactor.Clock
	Router       *router.Router
	Messages     *slab.Messages
	Receipts     *receipt.Table
	Closed       *stats.Closed
	Tracer       *Tracer
	Verifier     auth.Verifier // nil: clients name themselves
	ProxyTrusted []netip.Prefix
	AllowOrigins []string
	Shadow       bool // only clients of a tee come in
	Knobs        Knobs
	QueueKnobs   queue.Knobs
	RouterKnobs  router.Knobs
	Tap          *tap.Tap     // nil: nothing is mirrored
	Open         atomic.Int64 // connections of the node, handshakes included
}

// codecs by transport; stateless.
var codecs = [push.ProtoCount]wire.Codec{
	push.ProtoWS: ws.Codec{}, push.ProtoSSE: sse.Codec{}, push.ProtoStream: stream.Codec{}, push.ProtoPoll: poll.Codec{},
}

// Table is the connections of one loop.
type Table struct {
	*Shared
	Loop *reactor.Loop
	Cols *stats.Columns

	// Owned by the loop's goroutine.
	mapping      *slab.Mapping
	conns        []Conn
	lastSeen     []uint32 // ms clock of the last sign of life
	slots        slab.Slots
	buffers      *slab.Blocks
	queues       *queue.Set
	members      *router.Members
	wheel        wheel
	oldest       fifo              // unfinished handshakes
	details      map[uint32]string // of connections about to close, for the closed ring
	left         map[uint32]left   // likewise
	dirty        []uint32
	again        []uint32 // slots with input left
	walks        []walk
	settle       settling
	out          writer
	read         []byte
	scratch      []byte
	cursor       uint32 // of the heartbeat sweep
	sweeps       uint32
	sweepTime    time.Duration // until a connection is looked at again
	known        copies        // knobs that connections have a copy of
	reviewTo     uint32        // of sweeps: until then connections are given them anew
	held         holding       // connections whose messages wait for more
	slowCursor   uint32        // of the search for messages that wait too long
	paid         int64         // broadcast pacing: ns clock until which the budget is spent
	pace         int64         // broadcast.rate_max that paid was reckoned with
	drain        *draining
	logins       map[uint32]auth.Identity // of connections whose token names further users
	nowMS        uint32
	queuedBefore uint32
	tcp          unix.TCPInfo
	wire         uint64 // bytes that sockets took
	tee          tee

	totals  stats.Totals
	counted stats.Totals // what rates have been told
	rates   Rates
	windows decay.Windows // of all queues of the loop together: level and peak
	latency hist.Log      // publish to socket
	marks   [2]hist.Log   // latency as it was 10 to 20 s and 0 to 10 s ago
	marked  uint32        // ms clock of the newer one
	turns   hist.Log      // length of turns

	backlog atomic.Int64 // messages in all queues at the end of the last turn, for any goroutine
}

// nodesPerLoop bounds the messages that wait in all queues of a loop; address
// space only, 24 bytes each.
const nodesPerLoop = 16 << 20

// bufferSpace is the address space of a loop for partial input and control
// frames; the knob conns.buffer_bytes_max says how much of it may be used.
const bufferSpace = 8 << 30

// NewTable makes the table of a loop with room for slots connections.
func NewTable(s *Shared, loop *reactor.Loop, slots int) (*Table, error) {
	t := &Table{Shared: s, Loop: loop, read: make([]byte, 64<<10), scratch: make([]byte, 0, 4<<10),
		logins: map[uint32]auth.Identity{}, details: map[uint32]string{}, left: map[uint32]left{}, members: router.NewMembers(s.RouterKnobs)}
	if err := t.mapColumns(int64(slots) + 1); err != nil {
		return nil, err
	}
	var err error
	if t.buffers, err = slab.NewBlocks(fmt.Sprintf("buffers-%d", loop.Index), bufferSpace); err != nil {
		return nil, err
	}
	wins := t.Cols.Win
	next := slab.Slice[uint32](t.mapping, t.winNext(), int64(len(wins)))
	t.queues, err = queue.New(fmt.Sprintf("queues-%d", loop.Index), nodesPerLoop, s.Messages, t.Cols, next, s.QueueKnobs)
	if err != nil {
		return nil, err
	}
	t.out.init()
	if s.Tap != nil {
		t.tee.shard = s.Tap.Loop(loop.Index)
	}
	t.known = t.copies()
	return t, nil
}

// columns lays one loop's records and columns out in one mapping.
type columns struct {
	conns, next, seen, ident, queued, bytes, drops, rtt, win, keys, owner, winOf, winNext int64
}

func layout(n int64) (c columns, size int64) {
	var l slab.Layout
	c.conns = l.Take(n * int64(unsafe.Sizeof(Conn{})))
	for _, off := range []*int64{&c.next, &c.seen, &c.ident, &c.queued, &c.bytes, &c.drops, &c.rtt, &c.owner, &c.winOf, &c.winNext} {
		*off = l.Take(n * 4)
	}
	c.win = l.Take(n * int64(unsafe.Sizeof(decay.Windows{})))
	c.keys = l.Take(n * int64(unsafe.Sizeof(decay.Keys{})))
	return c, l.Size()
}

func (t *Table) winNext() int64 {
	c, _ := layout(int64(len(t.conns)))
	return c.winNext
}

func (t *Table) mapColumns(n int64) error {
	c, size := layout(n)
	m, err := slab.Map(fmt.Sprintf("conns-%d", t.Loop.Index), size)
	if err != nil {
		return err
	}
	t.mapping = m
	t.conns = slab.Slice[Conn](m, c.conns, n)
	t.slots = slab.NewSlots(slab.Slice[uint32](m, c.next, n))
	t.lastSeen = slab.Slice[uint32](m, c.seen, n)
	t.Cols = &stats.Columns{Loop: t.Loop.Index, Node: t.Node,
		Ident:  slab.Slice[uint32](m, c.ident, n),
		Queued: slab.Slice[uint32](m, c.queued, n),
		QBytes: slab.Slice[uint32](m, c.bytes, n),
		Drops:  slab.Slice[uint32](m, c.drops, n),
		RTT:    slab.Slice[uint32](m, c.rtt, n),
		Win:    slab.Slice[decay.Windows](m, c.win, n),
		Keys:   slab.Slice[decay.Keys](m, c.keys, n),
		Owner:  slab.Slice[uint32](m, c.owner, n),
		WinOf:  slab.Slice[uint32](m, c.winOf, n),
	}
	return nil
}

// Close unmaps everything; the loop must have ended.
func (t *Table) Close() error {
	for _, f := range []func() error{t.queues.Close, t.buffers.Close, t.mapping.Close} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) handle(slot uint32) push.Handle {
	return push.MakeHandle(t.Node, uint8(t.Loop.Index), slot, t.conns[slot].gen)
}

// at returns the connection that a handle names, nil if it is gone.
func (t *Table) at(h push.Handle) *Conn {
	slot := h.Slot()
	if slot == 0 || slot >= t.slots.High() {
		return nil
	}
	if c := &t.conns[slot]; c.gen == h.Gen() && c.state != StateFree {
		return c
	}
	return nil
}

func (t *Table) setState(slot uint32, s State) {
	c := &t.conns[slot]
	c.state = s
	t.Cols.SetIdent(slot, stats.Ident(c.gen, c.proto, uint8(s)))
}

// ticks turns a duration into ticks of the wheel, rounded up.
func (t *Table) ticks(d time.Duration) uint64 {
	every := t.Loop.TickEvery()
	return uint64((d + every - 1) / every)
}

func (t *Table) due(slot uint32, kind uint8, after time.Duration) {
	t.wheel.add(entry{slot: slot, gen: t.conns[slot].gen, kind: kind}, t.ticks(after))
}

// Ready implements reactor.Handler.
func (t *Table) Ready(data uint64, events uint32) {
	t.nowMS = reactor.MS(t.Loop.Now())
	slot := uint32(data)
	c := &t.conns[slot]
	if c.gen != uint16(data>>32) || c.state == StateFree {
		return
	}
	if events&unix.EPOLLOUT != 0 && c.is(flagBlocked) {
		c.clear(flagBlocked)
		t.lastSeen[slot] = t.nowMS // it took bytes: it is alive, if slow
		if c.is(flagsTee) {
			t.teeOut(slot, c, 0, 0)
		}
		t.markDirty(slot)
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		t.readable(slot, events&(unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0)
	}
}

// Item implements reactor.Handler.
func (t *Table) Item(it *reactor.Item) {
	if it.Kind != reactor.KindSend {
		t.startWalk(it)
		return
	}
	c := t.at(it.H)
	if c == nil || c.state != StateOpen {
		t.queues.Bin().Release(it.Msg)
		t.totals.Dropped[push.DropGone]++
		t.settled(it.Receipt, push.DropGone)
		return
	}
	if c.is(flagResume) && it.Pos != 0 && !t.inOrder(it.H, c, it.Pos) {
		t.queues.Bin().Release(it.Msg)
		t.settled(it.Receipt, push.DropNone)
		return
	}
	t.settled(it.Receipt, t.offer(it.H.Slot(), c, it.Msg, it.Pos))
}

// inOrder offers what was routed before a message but has not come, because
// another publisher is late or an inbox was full: positions must not run
// backwards nor leave anything out, or a client that resumes would lose it. It
// is false for a message that was offered in this way.
func (t *Table) inOrder(h push.Handle, c *Conn, pos uint32) bool {
	ahead := int32(pos - c.pos)
	if ahead <= 0 {
		return false
	}
	if ahead > 1 {
		missed, gap := t.Router.Missed(h, c.users, c.pos, pos)
		if gap {
			t.controlFrame(h.Slot(), c, wire.TypeGap, wire.GapReplay(nil, t.position(c.pos), ""))
		}
		for _, m := range missed {
			t.offer(h.Slot(), c, m.Msg, m.Pos)
		}
	}
	c.pos = pos
	return true
}

// offer puts a message into a connection's queue and takes over the reference.
func (t *Table) offer(slot uint32, c *Conn, msg slab.Ref, pos uint32) push.DropReason {
	if !c.is(flagResume) {
		pos = 0
	}
	drops := t.Cols.Drops[slot]
	if c.is(flagTraced) {
		t.traceOffer(slot, c, msg)
	}
	t.totals.Offered++
	r := t.queues.Offer(&c.queue, slot, msg, pos, t.nowMS)
	if c.is(flagTraced) && t.Cols.Drops[slot] != drops {
		t.traceDrop(slot, c, t.Cols.Drops[slot]-drops)
	}
	if r == push.DropDisconnect {
		t.goodbye(slot, push.CloseSlow)
	}
	t.markDirty(slot)
	return r
}

func (t *Table) markDirty(slot uint32) {
	if c := &t.conns[slot]; !c.is(flagDirty) {
		c.set(flagDirty)
		t.dirty = append(t.dirty, slot)
	}
}

// settling sums up what became of consecutive items of one receipt.
type settling struct {
	id     uint32
	reason push.DropReason
	n      uint32
}

func (t *Table) settled(id uint32, r push.DropReason) {
	if id == 0 {
		return
	}
	if s := &t.settle; s.id != id || s.reason != r {
		t.flushSettled()
		s.id, s.reason = id, r
	}
	t.settle.n++
}

func (t *Table) flushSettled() {
	if t.settle.n > 0 {
		t.Receipts.Settle(t.settle.id, t.settle.reason, t.settle.n)
	}
	t.settle = settling{}
}

// Turn implements reactor.Handler: it writes what the turn has queued.
func (t *Table) Turn() (busy bool) {
	t.nowMS = reactor.MS(t.Loop.Now())
	again := t.again
	t.again = t.again[len(t.again):]
	for _, slot := range again {
		if c := &t.conns[slot]; c.is(flagReadMore) {
			c.clear(flagReadMore)
			t.readable(slot, true)
		}
	}
	t.stepWalks()
	t.stepDrain()
	joining := t.stepTee()
	delay := t.Knobs.CoalesceDelay.Get()
	more := t.releaseHeld(delay)
	dirty := t.dirty
	t.dirty = nil
	for _, slot := range dirty {
		c := &t.conns[slot]
		c.clear(flagDirty)
		if c.state != StateFree && (delay == 0 || !t.postpone(slot, c, delay)) {
			t.flush(slot, c)
		}
	}
	if t.dirty == nil {
		t.dirty = dirty[:0]
	}
	t.flushSettled()
	t.queues.Bin().Flush()
	t.endTurn()
	return more || len(t.walks) > 0 && !t.paced() || len(t.dirty) > 0 || len(t.again) > 0 || t.drain.stepping() || joining
}

func (t *Table) endTurn() {
	if queued := uint32(t.queues.Messages); queued != t.queuedBefore {
		t.windows.Add(t.nowMS, 0, 0, 0, t.queuedBefore, queued)
		t.queuedBefore = queued
		t.backlog.Store(t.queues.Messages)
	}
	t.turns.Record(t.Clock.Now() - t.Loop.Now())
}

func (t *Table) nowMS64() uint64 { return uint64(t.Loop.Now()) / 1e6 }
