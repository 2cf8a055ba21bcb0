// Package reactor runs event loops: it accepts connections, waits for their
// sockets, takes deliveries from an inbox and keeps the clock. It knows no
// protocol; what a connection is, is the Handler's business.
//
// A loop is one goroutine. Everything a Handler owns is touched by that
// goroutine only; others reach it through Post and Do.
package reactor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/rawsys"
)

// Handler is what happens on a loop. All calls come from the loop's goroutine.
type Handler interface {
	// Open takes a new socket; ok is false when it was closed instead. data,
	// below 1<<56, comes back in Ready.
	Open(fd int, peer netip.AddrPort, from *Listener) (data uint64, ok bool)
	// Ready tells that a socket may be read or written (EPOLL bits).
	Ready(data uint64, events uint32)
	// Item takes one delivery and the message reference that travels with it.
	Item(it *Item)
	// Turn ends a turn; busy asks for another turn without waiting.
	Turn() (busy bool)
	// Tick is called about every Loop.TickEvery.
	Tick()
}

// Config is what a loop needs to start.
type Config struct {
	Index     int
	Loops     int // of the node: shares of node-wide rates
	Listeners []*Listener
	Clock     *Clock
	Knobs     Knobs
	// Unshare locks the loop to a thread with a descriptor table of its own,
	// so that the process may hold more than RLIMIT_NOFILE connections. It
	// costs about twice the CPU at low rates.
	Unshare bool
	// ConnsMax is the number of connections the loop's descriptor table can
	// hold; at it the loop leaves the listening group. 0 is no bound.
	ConnsMax int
}

// Loop is one event loop. Make it with New, then Run it on a goroutine.
type Loop struct {
	Config
	handler Handler
	inbox   inbox
	poller  *rawsys.Poller

	// Owned by the loop's goroutine.
	now     int64
	items   []Item
	next    int // of items
	lists   []listening
	full    bool
	unsent  int64 // knob value that the listeners have; 0 none
	refuse  bool
	open    int
	tickets float64 // accept-rate bucket
	refill  int64
	stop    bool
	busy    bool
	ticked  bool
	retry   bool // accept failed; look at the listeners again at the next tick
	timer   int
	alarm   alarm
	// AcceptErrors counts accept calls that failed for want of descriptors or memory.
	AcceptErrors uint64
}

type listening struct {
	fd      int
	pending bool // the last accept did not empty the queue
}

// Event data above all of a Handler's.
const (
	kindShift    = 56
	kindConn     = 0
	kindListener = 1
	kindTimer    = 2
	kindAlarm    = 3
)

// itemsPerTurn bounds how long sockets wait for a full inbox.
const itemsPerTurn = 512

// acceptsPerTurn bounds how long open connections wait for new ones.
const acceptsPerTurn = 64

// New makes a loop. It must be called before any loop with Unshare runs.
func New(c Config) (*Loop, error) {
	if c.Unshare {
		if err := rawsys.StartNetpoll(); err != nil {
			return nil, err
		}
	}
	w, err := rawsys.NewWaker()
	if err != nil {
		return nil, err
	}
	return &Loop{Config: c, inbox: inbox{waker: w}, timer: -1}, nil
}

// TickEvery is the time between ticks: 100 ms, or more with very many loops so
// that idle loops do not keep the machine awake.
func (l *Loop) TickEvery() time.Duration {
	return 100 * time.Millisecond * time.Duration(max(1, l.Loops/8))
}

// Now is the clock as read at the beginning of the turn, in ns.
func (l *Loop) Now() int64 { return l.now }

// Budget is for the Handler's system calls.
func (l *Loop) Budget() *rawsys.Budget { return &l.poller.Budget }

// Inbox is the number of items waiting; from any goroutine.
func (l *Loop) Inbox() int64 { return l.inbox.waiting.Load() }

// Post leaves deliveries and says how many of them, from the first, the inbox
// took; the others stay the caller's. From any goroutine.
func (l *Loop) Post(items []Item) int {
	return l.inbox.post(items, int(l.Knobs.InboxMax.Get()))
}

// Do runs f on the loop and waits for its end. The error says that f may not
// have run: the loop has ended or ctx was done first.
func (l *Loop) Do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if !l.inbox.call(func() { defer close(done); f() }) {
		return ErrEnded
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("loop %d is busy: %w", l.Index, ctx.Err())
	}
}

// ErrEnded tells that a loop no longer runs.
var ErrEnded = errors.New("loop has ended")

// Run runs the loop until Stop. started is called once, with the error if
// the loop could not start.
func (l *Loop) Run(h Handler, started func(error)) {
	l.handler = h
	if err := l.setup(); err != nil {
		l.teardown()
		started(err)
		return
	}
	started(nil)
	for !l.stop {
		if err := l.turn(); err != nil {
			// Only a closed poller gives an error, and only teardown closes it.
			panic(fmt.Sprintf("loop %d: %v", l.Index, err))
		}
	}
	l.teardown()
}

// Stop ends the loop after the current turn; connections must be closed by the
// Handler before.
func (l *Loop) Stop() { l.inbox.call(func() { l.stop = true }) }

func (l *Loop) setup() (err error) {
	l.now = l.Clock.Now()
	l.refill = l.now
	if l.Unshare {
		// Never unlocked: the thread must end with the goroutine, since no
		// other goroutine may meet its descriptor table.
		runtime.LockOSThread()
		if err := rawsys.UnshareFiles(l.inherited()...); err != nil {
			return err
		}
	}
	if l.poller, err = rawsys.NewPollerWith(512, l.inbox.waker); err != nil {
		return err
	}
	l.poller.BeforePark = l.inbox.park
	if err := l.listen(); err != nil {
		return err
	}
	return l.startTimer()
}

func (l *Loop) startTimer() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	l.timer = fd
	every := unix.NsecToTimespec(int64(l.TickEvery()))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	return l.poller.Add(fd, unix.EPOLLIN|unix.EPOLLET, kindTimer<<kindShift)
}

func (l *Loop) teardown() {
	items, calls := l.inbox.close()
	for _, f := range calls {
		f()
	}
	l.items, l.next = append(l.items[l.next:], items...), 0
	for i := range l.items {
		l.handler.Item(&l.items[i])
	}
	if l.poller != nil {
		l.handler.Turn() // frees what the items held
	}
	l.unlisten()
	if l.timer >= 0 {
		unix.Close(l.timer)
	}
	l.alarm.close()
	if l.poller != nil {
		l.poller.Close()
	}
}

// Close frees what New made. Call it after Run has returned.
func (l *Loop) Close() error { return l.inbox.waker.Close() }

func (l *Loop) turn() error {
	events, err := l.wait()
	if err != nil {
		return err
	}
	l.now = l.Clock.Now()
	for i := range events {
		l.dispatch(&events[i])
	}
	l.takeItems()
	l.acceptPending()
	if l.ticked {
		l.ticked = false
		l.tick()
	}
	l.busy = l.handler.Turn()
	return nil
}

func (l *Loop) wait() ([]unix.EpollEvent, error) {
	if l.busy || l.next < len(l.items) || l.acceptable() {
		return l.poller.Poll()
	}
	events, err := l.poller.Wait()
	l.inbox.sleeping.Store(0) // woken by a socket: who posts now need not wake
	return events, err
}

func (l *Loop) dispatch(ev *unix.EpollEvent) {
	data := rawsys.Data(ev)
	switch data >> kindShift {
	case kindConn:
		l.handler.Ready(data, ev.Events)
	case kindListener:
		if i := int(data & 0xff); i < len(l.lists) {
			l.lists[i].pending = true
		}
	case kindTimer:
		l.ticked = true
	case kindAlarm:
		l.alarm.at = 0
	}
}

func (l *Loop) takeItems() {
	if l.next == len(l.items) {
		var calls []func()
		spare := l.items
		if cap(spare) > 1<<16 {
			spare = nil // a rare flood should not hold its memory for ever
		}
		l.items, calls = l.inbox.take(spare)
		l.next = 0
		for _, f := range calls {
			f()
		}
	}
	end := min(len(l.items), l.next+itemsPerTurn)
	for ; l.next < end; l.next++ {
		l.handler.Item(&l.items[l.next])
	}
}

// watch begins to report a socket, edge-triggered for reading and writing: no
// further epoll_ctl when a queue comes and goes.
func (l *Loop) watch(fd int, data uint64) error {
	return l.poller.Add(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, data)
}

// Rewatch changes the data that Ready reports for a socket.
func (l *Loop) Rewatch(fd int, data uint64) error {
	return l.poller.Mod(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, data)
}

// CloseFD closes a socket that Open took.
func (l *Loop) CloseFD(fd int) {
	unix.Close(fd)
	l.open--
}

func (l *Loop) tick() {
	// An interval timer runs on only when its expiry is read.
	var expiries [8]byte
	_, _ = l.Budget().Read(l.timer, expiries[:])
	l.reopen()
	l.limitUnsent()
	if l.retry {
		l.retry = false
		for i := range l.lists {
			l.lists[i].pending = true
		}
	}
	l.handler.Tick()
}
