package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"pushfleet/internal/swarm"
	"pushfleet/internal/teewire"
)

// Bounds of what the driver holds. Beyond them records are dropped (full) if
// their time has come, and otherwise, with a file that is ahead, not read yet.
const (
	queueRecords = 1 << 18
	queueBytes   = 128 << 20
)

// settleMax is how long the shadow may take to answer when the stream has ended.
const settleMax = 10 * time.Second

// turnRecords is how many records are replayed before others get the lock.
const turnRecords = 128

// tick is the least time between two looks at what is due: records within one
// are replayed together.
const tick = time.Millisecond

// Driver replays one stream. New, then Run once; Counts at any time.
type Driver struct {
	// Static after construction.
	opts     Options
	target   netip.AddrPort
	warnings []string
	log      *slog.Logger
	base     time.Time
	recordsN int // bound of the queue
	bytesN   int
	settle   time.Duration
	messages *sender
	swarm    *swarm.Swarm
	between  uint32 // bytes that the buffers between the shadow and a client that does not read take

	wake chan struct{} // for replay: something has changed
	room chan struct{} // for read: the queue has shrunk

	// mu guards all below. The swarm's worker takes it in hooks, so that nothing
	// is asked of the swarm under it that needs the worker's lock.
	mu       sync.Mutex
	queue    *queue
	clock    clock
	ended    bool  // nothing more is read
	stopped  bool  // by who runs it: nothing more is replayed or answered
	emptied  int64 // ns since base: when the queue was empty after that
	conns    map[uint64]*mirrored
	excluded []*mirrored     // left with a hole, the oldest first
	users    map[string]bool // torn
	tearing  bool            // connections of torn users may be open
	slots    []slot
	free     []int32
	resting  resting
	opening  int // connections whose Open has not been answered
	parting  []parting
	books    books
}

// clock ties the node's clock to ours.
type clock struct {
	set   bool
	node  int64 // ns of the node's clock
	here  int64 // ns since Driver.base, at the same time
	delay time.Duration
	speed float64
}

// due is when something of that time is replayed, in ns since Driver.base.
func (c *clock) due(at int64) int64 {
	return c.here + int64(float64(at-c.node)/c.speed) + int64(c.delay)
}

// until is the node's time up to which records are due now.
func (c *clock) until(now int64) int64 {
	return c.node + int64(float64(now-c.here-int64(c.delay))*c.speed)
}

// New asks the shadow whether it may be driven, and this machine whether it
// can hold so many connections. Errors say what to change.
func New(o Options) (*Driver, error) {
	if o.Shadow == nil {
		return nil, errors.New("nobody to drive: name a shadow")
	}
	o.defaults()
	d := &Driver{opts: o, log: o.Log, base: time.Now(), recordsN: queueRecords, bytesN: queueBytes, settle: settleMax,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		queue: newQueue(), conns: map[uint64]*mirrored{}, users: map[string]bool{}, resting: resting{of: map[string]int32{}},
		clock: clock{delay: o.Delay, speed: o.Speed}}
	d.messages = newSender(d)
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := d.makeSwarm(); err != nil {
		return nil, err
	}
	return d, nil
}

func (o *Options) defaults() {
	if o.Amplify <= 0 {
		o.Amplify = 1
	}
	if o.Delay <= 0 {
		o.Delay = 200 * time.Millisecond
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.LateMax <= 0 {
		o.LateMax = 2 * time.Second
	}
	if o.Window <= 0 {
		o.Window = 16 << 10
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Warnings are what a user should know of the shadow before trusting it.
func (d *Driver) Warnings() []string { return d.warnings }

// Close gives up what New prepared, of a driver that is not run.
func (d *Driver) Close() error { return d.swarm.Close() }

// Run replays a stream until it has ended and all of it was replayed, or ctx
// ends; what is pending then was not due yet. The shadow's connections are
// closed at the end. A stream that breaks off is an error, an End record is
// none: see Counts.
func (d *Driver) Run(ctx context.Context, r *teewire.Reader) error {
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	d.swarm.Start(own)
	var wg sync.WaitGroup
	wg.Go(func() { d.messages.run(own) }) // ended by messages.close or stop
	read := make(chan error, 1)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	go func() { // ended by the stream, or with reading once Next returns
		err := d.read(reading, r)
		d.mu.Lock()
		d.ended = true
		d.mu.Unlock()
		d.poke()
		read <- err
	}()
	d.replay(ctx)
	var err error
	if ctx.Err() == nil {
		err = <-read
		d.messages.close()
	}
	// The shadow may be what holds us up.
	defer context.AfterFunc(ctx, func() {
		d.mu.Lock()
		d.stopped = true
		d.mu.Unlock()
		stop()
	})()
	defer time.AfterFunc(d.settle, stop).Stop()
	wg.Wait()
	err = errors.Join(err, d.swarm.Close())
	d.endBooks()
	if ctx.Err() != nil {
		select { // what is read from may be closed when Run returns
		case <-read:
		case <-time.After(leaveReader): // it does not heed ctx
		}
	}
	return err
}

// leaveReader is how long Run waits, when it is ended, for a read under way.
const leaveReader = time.Second

// endBooks settles what the shadow has not answered.
func (d *Driver) endBooks() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		if c.state == stateDialing {
			d.leave(c, d.unanswered(dropRefused))
		}
	}
	d.books.open, d.books.sockets, d.books.held = 0, 0, 0
}

// unanswered is why something is dropped that the shadow has not answered: w,
// unless the driver has not waited for it.
func (d *Driver) unanswered(w why) why {
	if d.stopped {
		return dropEnded
	}
	return w
}

// poke has replay look again.
func (d *Driver) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Driver) now() int64 { return int64(time.Since(d.base)) }

// wall is the time of the replay of something that happened at that time.
func (d *Driver) wall(at int64) time.Time { return d.base.Add(time.Duration(d.clock.due(at))) }

// read takes records from the stream until it ends.
func (d *Driver) read(ctx context.Context, r *teewire.Reader) error {
	for ctx.Err() == nil {
		k, at, err := r.Next()
		if err == io.EOF {
			return d.eof()
		}
		if err != nil {
			return fmt.Errorf("read mirrored traffic: %w", err)
		}
		if k == teewire.KindHead && r.Head.Version > teewire.Version {
			return fmt.Errorf("the traffic has format %d and this program reads up to %d; use a newer pushctl", r.Head.Version, teewire.Version)
		}
		d.took(ctx, r, k, at)
	}
	return nil
}

func (d *Driver) eof() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.books.end.Reason == "" {
		return fmt.Errorf("the traffic ended without saying why: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// took enters one record into the books and, unless it is one of the tap's
// own, into the queue.
func (d *Driver) took(ctx context.Context, r *teewire.Reader, k teewire.Kind, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.books.read[k]++
	if !d.clock.set {
		d.clock.set, d.clock.node, d.clock.here = true, at, d.now()
	}
	switch k {
	case teewire.KindHead:
	case teewire.KindCount:
		d.books.tap = r.Count
	case teewire.KindEnd:
		d.books.end = r.End
	default:
		d.enqueue(ctx, r.Source, keep(r, k, at))
		return
	}
	d.books.replay(k)
}

// full tells that a record finds no room.
func (d *Driver) full(rec *record) bool {
	return d.queue.total >= d.recordsN || d.queue.bytes+rec.size > d.bytesN && d.queue.total > 0
}

// ahead tells that a record has time: it is replayed long after the first.
func (d *Driver) ahead(rec *record) bool {
	first, any := d.queue.first()
	return any && d.clock.due(rec.at)-d.clock.due(first) > int64(2*d.opts.Delay+d.opts.LateMax+time.Second)
}

// hopeless tells that the first should have been replayed long ago: waiting for
// room would only make all of them late.
func (d *Driver) hopeless() bool {
	first, _ := d.queue.first()
	return d.clock.due(first) < d.now()-int64(d.opts.LateMax/4)
}

// enqueue puts a record into the queue. If there is no room it waits, unless
// that is hopeless.
func (d *Driver) enqueue(ctx context.Context, source uint32, rec record) {
	for full := d.full(&rec); full || d.ahead(&rec); full = d.full(&rec) {
		if full && d.hopeless() {
			d.leaveOut(&rec, dropFull)
			return
		}
		d.books.waiting[rec.kind]++
		d.mu.Unlock()
		select {
		case <-d.room:
		case <-ctx.Done():
		}
		d.mu.Lock()
		if ctx.Err() != nil {
			return // it stays pending, as what is in the queue
		}
		d.books.waiting[rec.kind]--
	}
	if d.queue.push(source, rec) {
		d.poke()
	}
}

// replay does what is due until nothing is left of a stream that has ended, and
// the shadow has answered, or ctx ends.
func (d *Driver) replay(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait, done := d.turn()
		if done {
			return
		}
		timer.Reset(max(wait, tick))
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// turn replays what is due and returns how long nothing will be.
func (d *Driver) turn() (wait time.Duration, done bool) {
	for more := true; more; {
		more = d.some()
	}
	d.messages.poke()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tearUsers()
	wait = time.Second
	if first, ok := d.queue.first(); ok {
		wait = time.Duration(d.clock.due(first) - d.now())
	} else if d.ended {
		if d.emptied == 0 {
			d.emptied = d.now()
		}
		left := time.Duration(d.emptied-d.now()) + d.settle
		if left <= 0 || d.opening == 0 && len(d.parting) == 0 {
			return 0, true
		}
		wait = min(wait, left)
	}
	if len(d.parting) > 0 {
		wait = min(wait, time.Duration(d.parting[0].due-d.now()))
	}
	return wait, false
}

// some replays up to turnRecords records and reports whether there may be more.
func (d *Driver) some() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.part(now)
	if !d.clock.set {
		return false
	}
	until, n := d.clock.until(now), 0
	for ; n < turnRecords; n++ {
		rec, ok := d.queue.pop(until)
		if !ok {
			break
		}
		late := now - d.clock.due(rec.at)
		d.books.late.Record(late)
		if late > int64(d.opts.LateMax) {
			d.leaveOut(&rec, dropLate)
		} else {
			d.do(&rec)
		}
	}
	if n > 0 {
		select {
		case d.room <- struct{}{}:
		default:
		}
	}
	return n == turnRecords
}

// do replays one record.
func (d *Driver) do(rec *record) {
	switch rec.kind {
	case teewire.KindOpen:
		d.open(rec)
	case teewire.KindIn:
		d.in(rec)
	case teewire.KindOut:
		d.out(rec)
	case teewire.KindPublish:
		d.publish(rec)
	case teewire.KindClose:
		d.close(rec)
	case teewire.KindTorn:
		d.tornBy(rec)
	}
}

// leaveOut drops a record. A connection that misses one is not what it is in
// production any more and leaves; without a message all are different.
func (d *Driver) leaveOut(rec *record, w why) {
	d.books.drop(rec.kind, w)
	switch rec.kind {
	case teewire.KindPublish:
		at := d.wall(rec.at)
		d.books.spans.add(at, at, w.String())
	case teewire.KindTorn:
		at := d.wall(rec.at)
		d.books.spans.add(d.wall(rec.from), at, w.String())
		d.tearAll(rec.body.(*teewire.Torn))
	default:
		if rec.kind == teewire.KindOpen || d.conns[rec.conn] != nil {
			d.tear(rec.conn, w)
		}
	}
}
