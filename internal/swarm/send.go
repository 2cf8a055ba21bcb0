package swarm

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
)

// outMax bounds what waits to be written on one connection, in bytes.
const outMax = 1 << 20

// Client frames (RFC 6455, 5.2): FIN and opcode.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// post queues an order for the loop. Those that end a connection or its pace
// are taken though the inbox is full, as long as there are not more of them
// than two for each connection: who could not give them would have to wait.
func (w *worker) post(o order) error {
	if w.stopping.Load() {
		return ErrClosed
	}
	limit := inboxMax
	switch o.todo {
	case doHang, doHold, doFree:
		limit += 2 * len(w.conns)
	}
	w.inMu.Lock()
	full := len(w.inbox) >= limit
	if !full {
		w.inbox = append(w.inbox, o)
	}
	first := len(w.inbox) == 1
	w.inMu.Unlock()
	if full {
		return errInboxFull
	}
	if first {
		w.poll.Wake()
	}
	return nil
}

func (w *worker) takeInbox() {
	w.inMu.Lock()
	in := w.inbox
	w.inbox = nil
	w.inMu.Unlock()
	for i := range in {
		w.obey(&in[i])
	}
}

func (w *worker) sendOne(slot uint32, c *record, payload []byte) {
	if c.state != connOpen || c.proto != push.ProtoWS || c.profile == HalfOpen {
		w.counts.SendDrops++
	} else if w.frame(slot, c, opText, payload) {
		w.counts.Sent++
	}
}

// appendFrame appends one masked client frame.
func appendFrame(b []byte, op byte, key uint32, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = binary.LittleEndian.AppendUint32(b, key)
	for i, x := range payload {
		b = append(b, x^byte(key>>(8*(i&3))))
	}
	return b
}

func (w *worker) frame(slot uint32, c *record, op byte, payload []byte) bool {
	w.request = appendFrame(w.request[:0], op, w.rng.Uint32(), payload)
	return w.write(slot, c, w.request)
}

// write sends b, keeping what the socket does not take. It reports whether the
// connection is still there.
func (w *worker) write(slot uint32, c *record, b []byte) bool {
	if c.out == 0 {
		n, err := w.poll.Budget.Write(int(c.fd), b)
		if err != nil && err != unix.EAGAIN {
			w.lose(slot, c, err.Error())
			return false
		}
		if b = b[max(n, 0):]; len(b) == 0 {
			return true
		}
		c.out = w.outs.take()
	}
	p := w.outs.at(c.out)
	if len(*p)+len(b) > outMax {
		w.lose(slot, c, "server does not read")
		return false
	}
	*p = append(*p, b...)
	return true
}

// flush sends what write kept.
func (w *worker) flush(slot uint32, c *record) bool {
	p := w.outs.at(c.out)
	n, err := w.poll.Budget.Write(int(c.fd), *p)
	if err != nil && err != unix.EAGAIN {
		w.lose(slot, c, err.Error())
		return false
	}
	if n = max(n, 0); n == len(*p) {
		w.outs.give(&c.out)
		return true
	}
	*p = append((*p)[:0], (*p)[n:]...)
	return true
}

// goodbye sends a Close frame if the socket takes it at once.
func (w *worker) goodbye(c *record) {
	if c.state == connOpen && c.proto == push.ProtoWS && c.out == 0 {
		w.request = appendFrame(w.request[:0], opClose, w.rng.Uint32(), []byte{1000 >> 8, 1000 & 0xff})
		_, _ = w.poll.Budget.Write(int(c.fd), w.request)
	}
}
