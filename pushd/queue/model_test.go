package queue

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// item is a message in the model.
type item struct {
	seq, pos, len, key, deadline, at uint32
	class                            push.Class
}

// modelQ is one queue as a plain slice.
type modelQ struct {
	q                  Q
	list               []item
	seq, sent, popped  uint32
	drops              uint32
	out, bytes         uint32 // since the last Account
	counted            uint32 // seq at the last Account
	partly             bool
	colCount, colBytes uint32
}

// machine runs a Set and the model side by side.
type machine struct {
	*bench
	now     uint32
	max     int
	maxB    uint32
	policy  [push.ClassCount]push.Policy
	queues  [slots - 1]modelQ // slot = index + 1
	dropped [push.DropReasonCount]uint64
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{bench: newBench(rt, 200)}
		m.reknob(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"offer":   m.offer,
			"offer2":  m.offer,
			"first":   m.first,
			"pop":     m.pop,
			"partly":  m.write,
			"wait":    func(rt *rapid.T) { m.now += rapid.Uint32Range(0, 50).Draw(rt, "ms") },
			"drop":    m.dropWaiting,
			"account": m.account,
			"discard": m.discard,
			"knobs":   m.reknob,
			"":        m.check,
		})
		for i := range m.queues {
			m.set.Discard(&m.queues[i].q, uint32(i+1), push.DropClosed)
		}
		m.bench.close()
	})
}

func (m *machine) reknob(rt *rapid.T) {
	m.max = rapid.IntRange(1, 8).Draw(rt, "messages_max")
	m.maxB = rapid.Uint32Range(1<<10, 3<<10).Draw(rt, "bytes_max")
	m.knob("queue.messages_max", fmt.Sprint(m.max))
	m.knob("queue.bytes_max", fmt.Sprint(m.maxB))
	for c := range push.ClassCount {
		m.policy[c] = push.Policy(rapid.IntRange(0, int(push.PolicyCount)-1).Draw(rt, "policy"))
		m.bench.policy(c, m.policy[c])
	}
}

func (m *machine) pick(rt *rapid.T) (*modelQ, uint32) {
	i := rapid.IntRange(0, len(m.queues)-1).Draw(rt, "queue")
	return &m.queues[i], uint32(i + 1)
}

func (m *machine) offer(rt *rapid.T) {
	x, slot := m.pick(rt)
	it := item{len: rapid.Uint32Range(0, 1200).Draw(rt, "len"), key: rapid.Uint32Range(0, 3).Draw(rt, "key"),
		class: push.Class(rapid.IntRange(0, int(push.ClassCount)-1).Draw(rt, "class")), at: m.now, pos: m.now}
	if rapid.Bool().Draw(rt, "ttl") {
		it.deadline = m.now + rapid.Uint32Range(1, 100).Draw(rt, "deadline")
	}
	x.seq++
	it.seq = x.seq
	want := m.expect(x, it)
	ref := m.message(int(it.len), slab.Meta{Key: it.key, Class: it.class, Deadline: it.deadline})
	if got := m.set.Offer(&x.q, slot, ref, it.pos, m.now); got != want {
		rt.Fatalf("offer %+v: %s, want %s", it, got, want)
	}
}

// expect offers to the model.
func (m *machine) expect(x *modelQ, it item) push.DropReason {
	p := m.policy[it.class]
	if p == push.PolicyCoalesce && it.key != 0 {
		same := func(o item) bool { return o.key == it.key && o.class == it.class }
		if i := slices.IndexFunc(x.free(), same); i >= 0 {
			i += len(x.list) - len(x.free())
			if x.bytes_()-x.list[i].len+it.len <= m.maxB {
				m.drop(x, i, push.DropCoalesced)
				x.list = append(x.list, it)
				return push.DropNone
			}
		}
	}
	fits := func() bool { return len(x.list) < m.max && x.bytes_()+it.len <= m.maxB }
	if !fits() {
		refused := push.DropNone
		held := x.list[:len(x.list)-len(x.free())] // what can not be dropped
		switch {
		case p == push.PolicyDisconnect:
			refused = push.DropDisconnect
		case p == push.PolicyDropNewest, len(held) >= m.max, sum(held)+it.len > m.maxB:
			refused = push.DropOverflow
		}
		if refused != push.DropNone {
			m.dropped[refused]++
			x.drops++
			return refused
		}
		for !fits() {
			m.drop(x, len(held), push.DropOverflow)
		}
	}
	x.list = append(x.list, it)
	return push.DropNone
}

// free is the part of the list that may be dropped.
func (x *modelQ) free() []item {
	if x.partly {
		return x.list[1:]
	}
	return x.list
}

func sum(list []item) (n uint32) {
	for _, it := range list {
		n += it.len
	}
	return n
}

func (x *modelQ) bytes_() uint32 { return sum(x.list) }

func (m *machine) drop(x *modelQ, i int, r push.DropReason) {
	x.list = slices.Delete(x.list, i, i+1)
	m.dropped[r]++
	x.drops++
}
