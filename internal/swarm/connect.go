package swarm

import (
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
)

// smallBuffer is asked as receive buffer of readers that are to be slow; the
// kernel doubles it and does not go below some 2 KB.
const smallBuffer = 2048

// watch is what a connection is registered for, once: edge-triggered, so that
// no further call is needed when something waits to be written.
const watch = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

func (w *worker) data(slot uint32, c *record) uint64 { return uint64(slot) | uint64(c.gen)<<32 }

// dial begins one attempt.
func (w *worker) dial(slot uint32) {
	c, i := &w.conns[slot], w.first+int(slot)
	c.reset()
	c.gen++
	window := w.choose(slot, c)
	c.since = w.clock.Now()
	fd, err := w.connect(i, window)
	if err != nil {
		w.fail(slot, c, "dial: "+err.Error())
		return
	}
	if err := w.poll.Add(fd, watch, w.data(slot, c)); err != nil {
		unix.Close(fd)
		w.fail(slot, c, "dial: "+err.Error())
		return
	}
	c.fd, c.state = int32(fd), connDialing
	w.counts.Connecting++
	w.timers.push(timer{due: w.now + int64(w.swarm.opts.HandshakeTimeout), slot: slot, gen: c.gen, kind: timerHandshake})
}

// choose says what a connection will be, and how many bytes its kernel may
// hold unread; 0 leaves that to the kernel.
func (w *worker) choose(slot uint32, c *record) (window int) {
	if r := w.requests[slot]; r != nil {
		c.proto, c.profile = r.Proto, Fast
		if c.proto == push.ProtoNone {
			c.proto = push.ProtoStream
		}
		if r.Held {
			c.flags |= flagHeld // from when it is open
		}
		if !r.Last {
			c.pos = 0
		}
		return r.Window
	}
	i := w.first + int(slot)
	c.proto = w.swarm.opts.Protos.pick(i, protoStep, push.ProtoWS)
	c.profile = w.swarm.opts.Profiles.pick(i, profileStep, Fast)
	if c.profile == Slow || c.profile == Stalled {
		return smallBuffer
	}
	return 0
}

// connect makes the socket of connection i and starts its TCP handshake.
func (w *worker) connect(i, window int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return -1, err
	}
	if window > 0 {
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, window); err != nil {
			return -1, err
		}
	}
	if err = w.bind(fd, i); err != nil {
		return -1, err
	}
	t := w.swarm.opts.Target
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(t.Port()), Addr: t.Addr().Unmap().As4()})
	if err == unix.EINPROGRESS {
		err = nil
	}
	return fd, err
}

// bind chooses the source address. The port is left to connect, when the
// kernel knows the destination too and may use one port for several of them.
func (w *worker) bind(fd, i int) error {
	plan := &w.swarm.plan
	if !plan.FirstSource.IsValid() {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: addTo(plan.FirstSource, i/plan.PortsPerSource).As4()})
}

// dialled looks at the outcome of the TCP handshake and sends the request. It
// reports whether the connection is still there.
func (w *worker) dialled(slot uint32, c *record, ev uint32) bool {
	if ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		reason := "hang up"
		if n, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
			reason = unix.Errno(n).Error()
		}
		w.lose(slot, c, reason)
		return false
	}
	if ev&unix.EPOLLOUT == 0 {
		return true
	}
	c.state = connAsking
	return w.ask(slot, c)
}

// opened is called when the handshake is complete.
func (w *worker) opened(slot uint32, c *record) {
	c.state, c.tries = connOpen, 0
	w.counts.Connecting--
	w.counts.Opened++
	w.counts.Open++
	w.counts.OpenPeak = max(w.counts.OpenPeak, w.counts.Open)
	took := w.now - c.since
	w.total.Connect.Record(took)
	w.recent.Connect.Record(took)
	w.settle(c)
	if c.proto != push.ProtoPoll {
		delete(w.requests, slot) // a poll may be asked for again
	}
	w.behave(slot, c)
	if f := w.swarm.opts.Hooks.Open; f != nil {
		f(w.first + int(slot))
	}
}

func (w *worker) settle(c *record) {
	if c.flags&flagSettled == 0 && !w.swarm.opts.Manual {
		c.flags |= flagSettled
		w.settling++
	}
}

// lose ends a connection that the other side or an error has ended.
func (w *worker) lose(slot uint32, c *record, reason string) {
	w.end(slot, c, reason, 0)
}

// closedBy ends a connection whose server said goodbye with a code. 4000-4099
// ask not to come back, 4200-4299 to come back at once, the rest to back off.
func (w *worker) closedBy(slot uint32, c *record, code uint16, reason string) {
	switch {
	case code >= 4000 && code < 4100:
		w.end(slot, c, reason, never)
	case code >= 4200 && code < 4300:
		w.end(slot, c, reason, w.jitter(100*time.Millisecond))
	default:
		w.end(slot, c, reason, 0)
	}
}

const never = time.Duration(-1)

// end closes the socket and decides whether to come back: after delay, never,
// or, when delay is 0, after a back-off.
func (w *worker) end(slot uint32, c *record, reason string, delay time.Duration) {
	open := c.state == connOpen
	w.hangUp(slot, c)
	if !open {
		w.counts.Connecting--
		w.fail(slot, c, reason)
		return
	}
	w.counts.Open--
	w.counts.Closed++
	delete(w.requests, slot)
	count(&w.counts.ClosedBy, reason)
	if f := w.swarm.opts.Hooks.Closed; f != nil {
		f(w.first+int(slot), reason)
	}
	if !w.swarm.opts.Reconnect || delay == never {
		c.state = connEnded
		return
	}
	if delay == 0 {
		delay = w.backOff(1)
	}
	w.later(slot, c, delay)
}

// fail counts an attempt that did not open and plans the next one.
func (w *worker) fail(slot uint32, c *record, reason string) {
	w.counts.Failed++
	count(&w.counts.FailedBy, reason)
	c.tries++
	if int(c.tries) >= w.swarm.opts.TriesMax {
		c.state = connEnded
		w.counts.GivenUp++
		w.settle(c)
		w.gaveUp(slot, reason)
		return
	}
	w.later(slot, c, w.backOff(int(c.tries)))
}

func (w *worker) later(slot uint32, c *record, d time.Duration) {
	c.state = connIdle
	w.timers.push(timer{due: w.now + int64(d), slot: slot, gen: c.gen, kind: timerDial})
}

// backOff doubles from 100 ms to 5 s, half of it random, so that many that
// were refused together do not return together.
func (w *worker) backOff(tries int) time.Duration {
	d := min(100*time.Millisecond<<min(tries-1, 10), 5*time.Second)
	return d/2 + w.jitter(d/2)
}

func (w *worker) jitter(d time.Duration) time.Duration {
	return time.Duration(1 + w.rng.Int64N(int64(d)))
}

// hangUp closes the socket and gives borrowed buffers back.
func (w *worker) hangUp(_ uint32, c *record) {
	if c.profile == HalfOpen {
		// Or our FIN would be sent for minutes: its answer is dropped too.
		_ = unix.SetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	}
	unix.Close(int(c.fd))
	c.fd = -1
	c.gen++
	w.parts.give(&c.part)
	w.outs.give(&c.out)
}
