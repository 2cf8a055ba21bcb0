package swarm

import (
	"time"

	"golang.org/x/sys/unix"
)

// slowEvery is the pace of a slow reader's reads, slowBytesMin what one takes
// at least: a very slow reader reads less often.
const (
	slowEvery    = 100 * time.Millisecond
	slowBytesMin = 16
)

// behave starts what the profile of a connection just opened asks for.
func (w *worker) behave(slot uint32, c *record) {
	switch c.profile {
	case Slow:
		c.flags |= flagNoRead
		_ = w.poll.Mod(int(c.fd), unix.EPOLLET, w.data(slot, c)) // errors and hang-up only
		w.readLater(slot, c)
	case Stalled:
		c.flags |= flagNoRead
		_ = w.poll.Mod(int(c.fd), unix.EPOLLET, w.data(slot, c))
	case HalfOpen:
		c.flags |= flagNoRead
		_ = w.poll.Mod(int(c.fd), unix.EPOLLET, w.data(slot, c))
		w.vanish(c)
	case Churn:
		life := w.rng.ExpFloat64() * float64(w.swarm.opts.ChurnMean)
		w.timers.push(timer{due: w.now + int64(life), slot: slot, gen: c.gen, kind: timerLeave})
	}
}

// vanish makes the kernel drop every packet that arrives for the socket, so
// that the server sees what it would see of a host that lost its network.
func (w *worker) vanish(c *record) {
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	if err := unix.SetsockoptSockFprog(int(c.fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: 1, Filter: &drop}); err != nil {
		count(&w.counts.FailedBy, "half-open: "+err.Error()) // it is then only stalled
	}
}

// slowStep is how much a slow reader reads at a time, and how often.
func (w *worker) slowStep() (bytes int, every time.Duration) {
	rate := w.swarm.opts.SlowBytes
	bytes = int(int64(rate) * int64(slowEvery) / int64(time.Second))
	if bytes >= slowBytesMin {
		return bytes, slowEvery
	}
	return slowBytesMin, time.Duration(slowBytesMin) * time.Second / time.Duration(rate)
}

func (w *worker) readLater(slot uint32, c *record) {
	_, every := w.slowStep()
	w.timers.push(timer{due: w.now + int64(every), slot: slot, gen: c.gen, kind: timerRead})
}

// timedRead serves slow readers, and fast ones that had more than their turn.
func (w *worker) timedRead(slot uint32, c *record) {
	if c.profile != Slow || c.state != connOpen {
		w.readOn(slot, c)
		return
	}
	gen := c.gen
	bytes, _ := w.slowStep()
	w.read(slot, c, bytes)
	if c.gen == gen {
		w.readLater(slot, c)
	}
}

// leave ends a session of a churning client, or of one that was asked to come
// back elsewhere; it returns after up to a tenth of a churning client's life.
func (w *worker) leave(slot uint32, c *record) {
	if c.state != connOpen {
		return
	}
	w.goodbye(c)
	w.hangUp(slot, c)
	w.counts.Open--
	w.counts.Closed++
	reason := "churn"
	if c.profile != Churn {
		reason = "drain"
	}
	count(&w.counts.ClosedBy, reason)
	if f := w.swarm.opts.Hooks.Closed; f != nil {
		f(w.first+int(slot), reason)
	}
	w.later(slot, c, w.jitter(w.swarm.opts.ChurnMean/10+1))
}
