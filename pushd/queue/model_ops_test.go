package queue

import (
	"pgregory.net/rapid"

	"pushfleet/internal/push"
)

func (m *machine) first(rt *rapid.T) {
	x, slot := m.pick(rt)
	for !x.partly && len(x.list) > 0 && x.list[0].deadline != 0 && x.list[0].deadline <= m.now {
		m.drop(x, 0, push.DropTTL)
	}
	n := m.set.First(&x.q, slot, m.now)
	if (n == nil) != (len(x.list) == 0) || n != nil && n.Seq != x.list[0].seq {
		rt.Fatalf("First = %+v, want the first of %+v", n, x.list)
	}
}

// write puts a part of the first message into the socket, as a loop would.
func (m *machine) write(rt *rapid.T) {
	if x, _ := m.pick(rt); len(x.list) > 0 {
		x.q.HeadOff += rapid.Uint32Range(1, 9).Draw(rt, "bytes")
		x.partly = true
	}
}

func (m *machine) pop(rt *rapid.T) {
	x, _ := m.pick(rt)
	if len(x.list) == 0 {
		return
	}
	x.out++
	x.bytes += x.list[0].len
	x.sent = x.list[0].seq
	x.popped++
	x.list, x.partly = x.list[1:], false
	m.set.Pop(&x.q)
}

func (m *machine) dropWaiting(rt *rapid.T) {
	x, slot := m.pick(rt)
	r := push.DropReason(rapid.IntRange(1, int(push.DropReasonCount)-1).Draw(rt, "reason"))
	for len(x.free()) > 0 {
		m.drop(x, len(x.list)-len(x.free()), r)
	}
	m.set.DropWaiting(&x.q, slot, r)
}

func (m *machine) account(rt *rapid.T) {
	x, slot := m.pick(rt)
	m.set.Account(&x.q, slot, x.out, x.bytes, uint64(m.now))
	if touched := x.seq != x.counted || x.out > 0 || x.colCount != uint32(len(x.list)); touched {
		x.colCount, x.colBytes = uint32(len(x.list)), x.bytes_()
	}
	x.counted, x.out, x.bytes = x.seq, 0, 0
	if m.cols.Queued[slot] != uint32(len(x.list)) || m.cols.QBytes[slot] != x.bytes_() {
		rt.Fatalf("columns say %d messages, %d bytes; %d, %d wait", m.cols.Queued[slot], m.cols.QBytes[slot], len(x.list), x.bytes_())
	}
}

// discard ends a connection and begins the next one in its slot.
func (m *machine) discard(rt *rapid.T) {
	x, slot := m.pick(rt)
	x.partly = false
	for len(x.list) > 0 {
		m.drop(x, 0, push.DropClosed)
	}
	m.set.Discard(&x.q, slot, push.DropClosed)
	if m.cols.Drops[slot] != x.drops {
		rt.Fatalf("column says %d drops, want %d", m.cols.Drops[slot], x.drops)
	}
	if x.popped+x.drops != x.seq {
		rt.Fatalf("%d offered, %d written, %d dropped", x.seq, x.popped, x.drops)
	}
	m.cols.ClearSlot(slot)
	*x = modelQ{}
}

func (m *machine) check(rt *rapid.T) {
	var count, bytes int64
	wins := 0
	for i := range m.queues {
		x := &m.queues[i]
		m.checkQueue(rt, x, uint32(i+1))
		count += int64(len(x.list))
		bytes += int64(x.bytes_())
		if x.q.win != 0 {
			wins++
		}
	}
	if m.set.Messages != count || m.set.MessageBytes != bytes || int64(m.set.Nodes()) != count {
		rt.Fatalf("set: %d messages, %d bytes, %d nodes; want %d, %d", m.set.Messages, m.set.MessageBytes, m.set.Nodes(), count, bytes)
	}
	if m.set.Dropped != m.dropped {
		rt.Fatalf("dropped %v, want %v", m.set.Dropped, m.dropped)
	}
	if int(m.set.wins.Live()) != wins {
		rt.Fatalf("%d windows in use, want %d", m.set.wins.Live(), wins)
	}
}

func (m *machine) checkQueue(rt *rapid.T, x *modelQ, slot uint32) {
	q := &x.q
	if q.Seq != x.seq || q.Sent != x.sent || int(q.Count) != len(x.list) || q.Bytes != x.bytes_() || (q.HeadOff > 0) != x.partly {
		rt.Fatalf("queue %+v, want %+v", *q, *x)
	}
	if m.cols.Drops[slot] != x.drops {
		rt.Fatalf("column says %d drops, want %d", m.cols.Drops[slot], x.drops)
	}
	n, last := m.set.Head(q), (*Node)(nil)
	for _, it := range x.list {
		if n == nil || n.Seq != it.seq || n.Pos != it.pos || n.At != it.at || n.Len != it.len || len(m.set.Tail(n)) != int(it.len) {
			rt.Fatalf("node %+v, want %+v", n, it)
		}
		last, n = n, m.set.After(n)
	}
	if n != nil || last != nil && &m.set.nodes[q.tail] != last {
		rt.Fatalf("the list does not end at its tail: %+v", n)
	}
}
