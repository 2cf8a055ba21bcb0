package swarm

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/rawsys"
)

// Sizes of a worker, in bytes and numbers.
const (
	readBufferBytes = 64 << 10
	eventsMax       = 512
	readsPerEvent   = 16 // then other connections get their turn
	dialsPerTurn    = 64
	inboxMax        = 64 << 10 // orders waiting
)

// timerData is the poller's event data of the worker's timer.
const timerData = 1 << 63

// worker owns a run of connections: only its goroutine touches their sockets.
type worker struct {
	// Static after construction.
	swarm *Swarm
	index int
	first int // number of the first connection
	poll  *rawsys.Poller
	clock Clock
	timer *rawsys.Timer

	stopping atomic.Bool
	received atomic.Int64 // data messages, for Swarm.Received

	// Owned by the loop.
	fds      bool // pollers are open
	conns    []record
	buf      []byte
	parts    pool
	outs     pool
	timers   timers
	next     int   // first connection that was never dialled
	dialAt   int64 // ns, when it is due
	interval float64
	rng      *rand.Rand
	wsKey    string
	wsAccept string
	request  []byte // scratch
	now      int64  // ns, read at the begin of each turn and after each read
	armed    int64
	settling int64 // settled in this turn

	// mu is held by the loop for each turn, and by readers of the latencies.
	mu     sync.Mutex
	counts Counts
	total  *Latency
	recent *Latency
	epoch  string // of the server's positions
	epochs uint16 // how often it has changed

	// showMu guards what the loop shows of its counts after each turn. A turn
	// may take long where many workers share few processors; who only wants to
	// count must not wait for it.
	showMu sync.Mutex
	shown  Counts

	// Of a manual swarm, owned by the loop.
	requests map[uint32]*Request // of connections that were asked for and are not open, and of polls
	dials    slotQueue           // that wait for their handshake

	inMu  sync.Mutex
	inbox []order
}

// order is something to do with a connection.
type order struct {
	slot    uint32
	bytes   uint32 // doGrant: how many; doHang: 1 if politely
	todo    todo
	payload []byte   // doSend
	request *Request // doDial
}

type todo uint8

const (
	doSend todo = iota
	doDial
	doHang
	doHold
	doGrant
	doFree
)

func newWorker(s *Swarm, i int) (*worker, error) {
	first := i * s.plan.PerWorker
	n := min(s.plan.PerWorker, s.opts.Conns-first)
	w := &worker{swarm: s, index: i, first: first, clock: NewClock(),
		conns: make([]record, n), buf: make([]byte, readBufferBytes),
		total: new(Latency), recent: new(Latency),
		interval: 1e9 * float64(s.plan.Workers) / s.opts.Rate,
		rng:      rand.New(rand.NewPCG(s.opts.Seed, uint64(i)))}
	w.wsKey, w.wsAccept = newKey(w.rng)
	if s.opts.Manual {
		w.next = len(w.conns)
		w.requests = map[uint32]*Request{}
	}
	w.parts.keep = partKeep
	w.outs.keep = outKeep
	var err error
	// The poller is made while the descriptor table is shared, so that Go's
	// netpoller, which serves all threads, can know it.
	if w.poll, err = rawsys.NewPoller(eventsMax); err != nil {
		return nil, err
	}
	if w.timer, err = rawsys.NewTimer(); err != nil {
		w.poll.Close()
		return nil, err
	}
	w.fds = true
	if err := w.poll.Add(w.timer.FD(), unix.EPOLLIN|unix.EPOLLET, timerData); err != nil {
		w.free()
		return nil, err
	}
	return w, nil
}

// free closes the worker's descriptors in the shared table.
func (w *worker) free() {
	if w.fds {
		w.fds = false
		w.poll.Close()
		w.timer.Close()
	}
}

// run is the loop. It ends when the swarm halts.
func (w *worker) run() {
	defer w.swarm.done.Done()
	if w.swarm.opts.Unshare {
		// Never unlocked: the thread dies with the goroutine and its
		// descriptor table with it.
		runtime.LockOSThread()
		if err := rawsys.UnshareFiles(); err != nil {
			w.swarm.halt(fmt.Errorf("worker %d: %w", w.index, err))
			return
		}
	}
	w.dialAt = w.clock.Now() + int64(float64(w.index)*w.interval/float64(w.swarm.plan.Workers))
	w.poll.Wake()
	for !w.stopping.Load() {
		events, err := w.poll.Wait()
		if err != nil {
			w.swarm.halt(fmt.Errorf("worker %d: wait: %w", w.index, err))
			break
		}
		w.turn(events)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeAll()
}

func (w *worker) turn(events []unix.EpollEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.clock.Now()
	for i := range events {
		data := rawsys.Data(&events[i])
		if data == timerData {
			w.armed = 0
			continue
		}
		slot := uint32(data)
		c := &w.conns[slot]
		if c.gen == uint16(data>>32) && c.state != connIdle && c.state != connEnded {
			w.event(slot, c, events[i].Events)
		}
	}
	w.takeInbox()
	w.runTimers()
	w.runDials()
	w.dialQueued()
	w.arm()
	w.show()
	if w.settling > 0 { // after show: who waits for Ready wants to see them
		w.swarm.settled(w.settling)
		w.settling = 0
	}
}

// show publishes the counts. The maps change rarely and are copied then.
func (w *worker) show() {
	w.showMu.Lock()
	closed, failed := w.shown.ClosedBy, w.shown.FailedBy
	if w.shown.Closed != w.counts.Closed || w.shown.Failed != w.counts.Failed || len(failed) != len(w.counts.FailedBy) {
		closed, failed = maps.Clone(w.counts.ClosedBy), maps.Clone(w.counts.FailedBy)
	}
	w.shown = w.counts
	w.shown.ClosedBy, w.shown.FailedBy = closed, failed
	w.showMu.Unlock()
	w.received.Store(w.counts.Received)
}

// event handles what the poller said of one connection.
func (w *worker) event(slot uint32, c *record, ev uint32) {
	if c.state == connDialing {
		if !w.dialled(slot, c, ev) {
			return
		}
		ev &^= unix.EPOLLHUP
	}
	if ev&unix.EPOLLOUT != 0 && c.out != 0 && !w.flush(slot, c) {
		return
	}
	if c.flags&flagNoRead != 0 && c.state == connOpen {
		if ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			w.lose(slot, c, "reset")
		}
		return
	}
	if c.flags&flagHeld != 0 && c.state == connOpen {
		if ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			w.lose(slot, c, "reset")
		} else if c.credit > 0 {
			w.readOn(slot, c)
		}
		return
	}
	if ev&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		w.read(slot, c, readsPerEvent*readBufferBytes)
	}
}

// read takes what the socket has, up to limit bytes.
func (w *worker) read(slot uint32, c *record, limit int) {
	for limit > 0 {
		buf := w.buf[:min(limit, len(w.buf))]
		n, err := w.poll.Budget.Read(int(c.fd), buf)
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.ECONNRESET:
			w.lose(slot, c, "reset")
			return
		case err != nil:
			w.lose(slot, c, err.Error())
			return
		case n == 0:
			w.lose(slot, c, "eof")
			return
		}
		w.now = w.clock.Now()
		w.counts.Bytes += int64(n)
		c.credit -= min(c.credit, uint32(n))
		gen := c.gen
		w.feed(slot, c, buf[:n])
		if c.gen != gen || c.fd < 0 || c.state == connOpen && !c.reading() {
			return // closed, became a reader by timer, or has read what it may
		}
		if n < len(buf) && c.state == connOpen {
			return // drained; the next bytes bring a new edge
		}
		limit -= n
	}
	if c.reading() {
		// More may be there and no new edge will say so.
		w.timers.push(timer{due: w.now, slot: slot, gen: c.gen, kind: timerRead})
	}
}

func (w *worker) runTimers() {
	for len(w.timers) > 0 && w.timers[0].due <= w.now {
		t := w.timers.pop()
		c := &w.conns[t.slot]
		if c.gen != t.gen {
			continue
		}
		switch t.kind {
		case timerDial:
			w.dial(t.slot)
		case timerHandshake:
			if c.state == connDialing || c.state == connAsking {
				w.lose(t.slot, c, "handshake timeout")
			}
		case timerRead:
			w.timedRead(t.slot, c)
		case timerLeave:
			w.leave(t.slot, c)
		}
	}
}

// runDials dials the connections that are due, at the rate asked for: a late
// turn dials several, so that the ramp keeps its schedule.
func (w *worker) runDials() {
	for n := 0; w.next < len(w.conns) && w.dialAt <= w.now && n < dialsPerTurn; n++ {
		if w.counts.Connecting >= int64(w.swarm.opts.HandshakesMax) {
			w.dialAt = max(w.dialAt, w.now+int64(200*time.Microsecond))
			return
		}
		slot := uint32(w.next)
		w.next++
		w.dialAt += int64(w.interval)
		w.dial(slot)
	}
}

// arm sets the timer to the earliest thing that is due.
func (w *worker) arm() {
	due := int64(0)
	if len(w.timers) > 0 {
		due = w.timers[0].due
	}
	if w.next < len(w.conns) && (due == 0 || w.dialAt < due) {
		due = w.dialAt
	}
	if due != 0 && (w.armed == 0 || due < w.armed) {
		// A time that has passed fires at once; 0 would disarm.
		if err := w.timer.Set(&w.poll.Budget, max(due, 1)); err == nil {
			w.armed = due
		}
	}
}

// closeAll ends every connection, politely where the protocol can.
func (w *worker) closeAll() {
	for i := range w.conns {
		c := &w.conns[i]
		if c.fd > 0 && c.state != connIdle && c.state != connEnded {
			w.goodbye(c)
			w.hangUp(uint32(i), c)
			c.state = connEnded
		}
	}
	w.show()
}
