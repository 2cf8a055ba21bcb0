package session

import (
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/reactor"
)

// idleWindowMS is when the windows of a quiet connection hold nothing any
// more: ten times the longest, e^-10.
const idleWindowMS = 1_000_000

// Tick implements reactor.Handler.
func (t *Table) Tick() {
	t.nowMS = reactor.MS(t.Loop.Now())
	t.wheel.tick(t.comeDue)
	t.oldest.trim(func(e entry) bool {
		c := &t.conns[e.slot]
		return c.gen != e.gen || !c.unfinished()
	})
	t.noteKnobs()
	t.noteTee()
	t.sweep()
	t.closeSlow()
	t.queues.Trim()
	t.countRates()
	if t.nowMS-t.marked >= markEvery {
		t.marks[0], t.marks[1], t.marked = t.marks[1], t.latency, t.nowMS
	}
}

// markEvery is the least time in ms that recent latency is of; the most is
// twice that.
const markEvery = 10_000

func (t *Table) comeDue(e entry) {
	c := &t.conns[e.slot]
	if c.gen != e.gen {
		return
	}
	switch {
	case e.kind == dueHandshake && c.unfinished() && c.is(flagKeep):
		t.doom(e.slot, c, push.ClosePollDone, "")
	case e.kind == dueHandshake && c.unfinished():
		t.doom(e.slot, c, push.CloseHandshakeTimeout, "")
	case e.kind == duePoll && c.state == StateOpen && c.proto == push.ProtoPoll:
		c.set(flagAnswer)
		t.markDirty(e.slot)
	case e.kind == dueGoodbye && c.state == StateOpen:
		t.goodbye(e.slot, push.CloseDrain)
	case e.kind == dueClose && c.state == StateClosing:
		t.doom(e.slot, c, c.why, "")
	}
}

// sweep looks at a share of the connections per tick, so that it comes round
// twice in the shortest heartbeat interval and pings are spread over it. It
// reads a dense column; a timer per connection would cost more memory and
// time than the rest of the heartbeat.
func (t *Table) sweep() {
	high := t.slots.High()
	if high <= 1 {
		return
	}
	round := t.Knobs.Interval[push.ProtoWS].Get()
	for p := push.ProtoSSE; p < push.ProtoCount; p++ {
		round = min(round, t.Knobs.Interval[p].Get())
	}
	ticks := max(1, uint32(round/2/t.Loop.TickEvery()))
	n := high/ticks + 1
	t.sweepTime = time.Duration((high-2)/n+1) * t.Loop.TickEvery()
	for ; n > 0; n-- {
		if t.cursor++; t.cursor >= high {
			t.cursor = 1
			t.sweeps++
		}
		if c := &t.conns[t.cursor]; c.state == StateOpen {
			if t.reviewing() {
				t.watchSilence(c)
			}
			t.beat(t.cursor, c)
		}
	}
}

// beat is one heartbeat's look at a connection.
func (t *Table) beat(slot uint32, c *Conn) {
	idle := time.Duration(t.nowMS-t.lastSeen[slot]) * time.Millisecond
	switch {
	case c.is(flagExpires) && uint32(t.Loop.Now()/1e9) >= c.expires:
		t.goodbye(slot, push.CloseExpired)
		return
	case idle >= t.Knobs.Timeout[c.proto].Get() && (c.proto == push.ProtoWS || c.is(flagBlocked)):
		if c.is(flagBlocked) {
			t.doom(slot, c, push.CloseHeartbeat, "")
		} else {
			t.goodbye(slot, push.CloseHeartbeat)
		}
		return
	case c.proto != push.ProtoPoll && idle+t.sweepTime > t.Knobs.Interval[c.proto].Get()*time.Duration(1+c.beats):
		t.ping(slot, c) // at the next look it would be too late
	}
	if t.queues.Idle(&c.queue, t.nowMS, idleWindowMS) {
		t.queues.FreeWindow(&c.queue)
	}
	if t.sweeps&1 == 0 && t.Knobs.SampleRTT.Get() {
		t.sampleRTT(slot, c)
	}
}

// ping asks for a sign of life, unless something waits: then the socket's
// progress is the sign.
func (t *Table) ping(slot uint32, c *Conn) {
	if c.ctlLen > 0 || c.queue.HeadOff > 0 || c.is(flagBlocked) {
		return
	}
	t.totals.Pings++
	t.control(slot, c, codecs[c.proto].Ping(t.scratch[:0]))
	switch {
	case c.proto != push.ProtoWS:
		t.lastSeen[slot] = t.nowMS // nothing ever comes back; the kernel watches
	case c.beats < 255:
		c.beats++
	}
}
