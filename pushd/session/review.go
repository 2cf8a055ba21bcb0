package session

import (
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
)

// copies are the values of knobs that something of a connection was made
// from when it opened: they act live because the next sweep makes it anew.
type copies struct {
	timeout [push.ProtoCount]time.Duration // TCP_USER_TIMEOUT of its socket
}

func (t *Table) copies() (k copies) {
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		k.timeout[p] = t.Knobs.Timeout[p].Get()
	}
	return k
}

// noteKnobs begins a review of all connections when a knob has changed. Two
// rounds of the sweep, since the one under way is past some of them.
func (t *Table) noteKnobs() {
	if k := t.copies(); k != t.known {
		t.known, t.reviewTo = k, t.sweeps+2
	}
}

func (t *Table) reviewing() bool { return int32(t.reviewTo-t.sweeps) > 0 }

// watchSilence lets the kernel end a connection whose peer acknowledges
// nothing: clients of SSE and stream never send, so no heartbeat can be heard.
// A poll ends by itself.
func (t *Table) watchSilence(c *Conn) {
	if c.proto != push.ProtoSSE && c.proto != push.ProtoStream {
		return
	}
	ms := int(t.Knobs.Timeout[c.proto].Get() / time.Millisecond)
	_ = unix.SetsockoptInt(int(c.fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
}
