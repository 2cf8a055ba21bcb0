package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/hist"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/rawsys"
	"pushfleet/internal/swarm"
)

// Publish says what to publish.
type Publish struct {
	Node     string             // address of the server API, as pushdapi.Target takes it
	Rate     float64            // messages per second; 0: as fast as Window lets
	Arrivals string             // constant, poisson
	Burst    int                // messages per arrival, Rate counting messages; 0 is 1
	Users    int                // users u-0 … u-(n-1)
	Choice   string             // uniform, zipf
	Name     func(i int) string // of user i; nil: "u-<i>"
	Size     int                // bytes of the data object
	Kind     int                // latency kind
	Count    int64              // messages to send, 0: until told to stop

	// Window and Received close the loop when Rate is 0: at most Window
	// messages are under way, sent and not yet received. Without Received the
	// node's answers count. Window 0 is a default.
	Window   int
	Received func() int64

	Seed uint64
}

// Published is what a Publisher has done.
type Published struct {
	Sent    int64           // messages written
	Sending time.Duration   // from the first due time to the last write
	Result  pushdapi.Result // what the node says of them
	Lines   uint64          // messages the node has answered
	Errors  int64           // lines it refused
	Error   string          // the first refusal
	Blocked time.Duration   // time the node did not take more
	Done    bool            // the node has answered all
	// Lag is how late messages were built though the connection was free;
	// Held how late those were that the node's back-pressure held up.
	Lag, Held hist.Log
}

// Defaults of Publish.Window: some 20 ms of a fast node's work, and more than
// it does in the 50 ms between two answers.
const (
	defaultWindow = 4 << 10
	answerWindow  = 32 << 10
)

// batchMax is the number of messages in one write.
const batchMax = 512

// Publisher publishes on one connection, open loop: each message has a time at
// which it is due, fixed in advance, which goes into its payload. One goroutine
// sends and reads, parked in its own epoll with a microsecond timer.
type Publisher struct {
	o        Publish
	clock    swarm.Clock
	poll     *rawsys.Poller
	timer    *rawsys.Timer
	conn     net.Conn // keeps fd
	fd       int
	gap      schedule
	choose   chooser
	payload  *payload
	out      []byte // built, not written
	answers  answers
	due      float64 // ns, of the next message
	count    int64
	stuck    int64 // ns, since when the socket takes nothing; 0: it does
	behind   bool  // the schedule has not caught up with a stuck socket
	ending   bool
	begin    int64 // ns, when the run began
	received int64 // Received then

	mu  sync.Mutex
	sum Published
}

const (
	pubSocket = iota
	pubTimer
)

// NewPublisher connects and sends the request head. ctx bounds the connecting.
func NewPublisher(ctx context.Context, o Publish) (*Publisher, error) {
	if o.Size < PayloadMin {
		return nil, fmt.Errorf("size %d: the time stamp needs %d bytes or more", o.Size, PayloadMin)
	}
	o.Burst = max(o.Burst, 1)
	rng := rand.New(rand.NewPCG(o.Seed, 0xbe9c4))
	p := &Publisher{o: o, clock: swarm.NewClock(), payload: newPayload(o.Size, o.Kind, o.Name)}
	var err error
	if p.choose, err = newChooser(o.Choice, o.Users, rng); err != nil {
		return nil, err
	}
	if o.Rate > 0 {
		if p.gap, err = newSchedule(o.Arrivals, o.Rate/float64(o.Burst), rng); err != nil {
			return nil, err
		}
	} else if p.o.Window < 1 {
		p.o.Window = defaultWindow
		if o.Received == nil {
			p.o.Window = answerWindow
		}
	}
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Publisher) connect(ctx context.Context) (err error) {
	network, target, _ := pushdapi.Target(p.o.Node)
	d := net.Dialer{Timeout: 5 * time.Second}
	if p.conn, err = d.DialContext(ctx, network, target); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	const head = "POST /v1/publish HTTP/1.1\r\nHost: pushd\r\nUser-Agent: pushctl-bench\r\n" +
		"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
	if _, err = p.conn.Write([]byte(head)); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	raw, err := p.conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	if err = raw.Control(func(fd uintptr) { p.fd = int(fd) }); err != nil {
		return err
	}
	if p.poll, err = rawsys.NewPoller(8); err != nil {
		return err
	}
	if p.timer, err = rawsys.NewTimer(); err != nil {
		return err
	}
	if err = p.poll.Add(p.timer.FD(), unix.EPOLLIN|unix.EPOLLET, pubTimer); err != nil {
		return err
	}
	return p.poll.Add(p.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, pubSocket)
}

// Close frees the connection; call it after Run.
func (p *Publisher) Close() {
	if p.poll != nil {
		p.poll.Close()
	}
	if p.timer != nil {
		p.timer.Close()
	}
	p.conn.Close()
}

// Snapshot returns what was done so far.
func (p *Publisher) Snapshot() Published {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum
}

// drainMax bounds the wait for the node's last answer.
const drainMax = 10 * time.Second

// Run publishes until ctx ends or Count is reached, then ends the stream and
// waits for the node's last answer, at most drainMax.
func (p *Publisher) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, p.poll.Wake)()
	if p.o.Received != nil {
		p.received = p.o.Received()
	}
	p.begin = p.clock.Now()
	p.due = float64(p.begin)
	var giveUp int64
	for {
		p.mu.Lock()
		if !p.ending && (ctx.Err() != nil || p.o.Count > 0 && p.count >= p.o.Count) {
			p.ending = true
			p.out = append(p.out, "0\r\n\r\n"...)
			giveUp = p.clock.Now() + int64(drainMax)
		}
		err := p.turn(giveUp)
		done := p.sum.Done
		p.mu.Unlock()
		if err != nil || done {
			return err
		}
		events, err := p.poll.Wait()
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if err := p.handle(events); err != nil {
			return err
		}
	}
}

// turn sends what is due and sets the timer for what comes next.
func (p *Publisher) turn(giveUp int64) error {
	now := p.clock.Now()
	if p.ending {
		if now > giveUp {
			return fmt.Errorf("publish: the node answered %d of %d messages within %v", p.sum.Lines, p.sum.Sent, drainMax)
		}
		if err := p.flush(); err != nil {
			return err
		}
		return p.timer.Set(&p.poll.Budget, now+int64(50*time.Millisecond))
	}
	for len(p.out) == 0 {
		if p.build(now) == 0 {
			break
		}
		if err := p.flush(); err != nil {
			return err
		}
		now = p.clock.Now()
	}
	switch {
	case len(p.out) > 0: // the socket's edge wakes us
		return nil
	case p.o.Rate > 0:
		return p.timer.Set(&p.poll.Budget, max(int64(p.due), 1))
	}
	return p.timer.Set(&p.poll.Budget, now+int64(100*time.Microsecond))
}

// chunkHead is the size line of a chunk whose size is filled in afterwards.
const chunkHead = "00000000\r\n"

// build makes one chunk of all messages due, at most batchMax, and returns
// their number.
func (p *Publisher) build(now int64) int {
	p.out = append(p.out[:0], chunkHead...)
	n := 0
	for ; n < batchMax && p.next(now); n++ {
		for range p.o.Burst {
			t := now
			if p.o.Rate > 0 {
				t = int64(p.due)
				p.lag(now - t)
			}
			p.out = p.payload.appendLine(p.out, p.choose(), t)
			p.count++
		}
		if p.o.Rate > 0 {
			p.due += p.gap()
		}
	}
	if n == 0 {
		p.out = p.out[:0]
		return 0
	}
	const digits = "0123456789abcdef"
	for i, size := 7, len(p.out)-len(chunkHead); i >= 0; i, size = i-1, size>>4 {
		p.out[i] = digits[size&15]
	}
	p.out = append(p.out, "\r\n"...)
	return n
}

// next says whether a message may go now.
func (p *Publisher) next(now int64) bool {
	switch {
	case p.o.Count > 0 && p.count >= p.o.Count:
		return false
	case p.o.Rate > 0:
		return int64(p.due) <= now
	}
	back := int64(p.sum.Lines)
	if p.o.Received != nil {
		back = p.o.Received() - p.received
	}
	return p.count-back < int64(p.o.Window)
}

// lag files how late a message is: the generator's doing, or the node's that
// took no more.
func (p *Publisher) lag(d int64) {
	if p.behind = p.behind && d >= int64(time.Millisecond); p.behind {
		p.sum.Held.Record(d)
		return
	}
	p.sum.Lag.Record(d)
}

func (p *Publisher) flush() error {
	for len(p.out) > 0 {
		n, err := p.poll.Budget.Write(p.fd, p.out)
		if err == unix.EAGAIN {
			if p.stuck == 0 {
				p.stuck, p.behind = p.clock.Now(), true
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("publish: %w; the node's log says why it hung up", err)
		}
		p.out = p.out[:copy(p.out, p.out[n:])]
	}
	if p.sum.Sent != p.count {
		p.sum.Sent = p.count
		p.sum.Sending = time.Duration(p.clock.Now() - p.begin)
	}
	return nil
}

func (p *Publisher) handle(events []unix.EpollEvent) error {
	for i := range events {
		if rawsys.Data(&events[i]) != pubSocket {
			continue
		}
		p.mu.Lock()
		if events[i].Events&unix.EPOLLOUT != 0 && p.stuck != 0 {
			p.sum.Blocked += time.Duration(p.clock.Now() - p.stuck)
			p.stuck = 0
		}
		err := p.flush()
		if err == nil && events[i].Events&^unix.EPOLLOUT != 0 {
			err = p.answers.read(p.poll, p.fd, &p.sum)
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
