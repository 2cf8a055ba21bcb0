package session

import (
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/tap"
)

// copies are the values of knobs that something of a connection was made
// from when it opened: they act live because the next sweep makes it anew.
type copies struct {
	timeout [push.ProtoCount]time.Duration // TCP_USER_TIMEOUT of its socket
	sample  float64                        // flagSampled
}

func (t *Table) copies() (k copies) {
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		k.timeout[p] = t.Knobs.Timeout[p].Get()
	}
	k.sample = t.TapKnobs.Sample.Get()
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

// review gives a connection the values in force.
func (t *Table) review(slot uint32, c *Conn) {
	t.watchSilence(c)
	switch percent := t.TapKnobs.Sample.Get(); percent {
	case 0:
		t.setSampled(c, false)
	default:
		users := t.Router.Users(t.handle(slot), c.users)
		t.setSampled(c, len(users) > 0 && tap.In(users[len(users)-1], percent))
	}
}

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

// sample chooses a connection by the user that it opened with, which is also
// the one that has been logged in longest.
func (t *Table) sample(c *Conn, user string) {
	if percent := t.TapKnobs.Sample.Get(); percent > 0 {
		t.setSampled(c, tap.In(user, percent))
	}
}

// setSampled notes whether a connection is in the tap's sample.
func (t *Table) setSampled(c *Conn, in bool) {
	switch {
	case in == c.is(flagSampled):
	case in:
		c.set(flagSampled)
		t.totals.Sampled++
	default:
		c.clear(flagSampled)
		t.totals.Sampled--
	}
}
