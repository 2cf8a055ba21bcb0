package router

import (
	"fmt"
	"testing"

	"pushfleet/internal/push"
)

func h(slot uint32) push.Handle { return push.MakeHandle(0, 1, slot, 1) }

func (b *bench) login(t *testing.T, user string, slot uint32, q *Resume) Link {
	t.Helper()
	l, err := b.Login(user, h(slot), 0, q)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPositionsOutliveTheSession(t *testing.T) {
	b := newBench(t, 100, "replay.ttl", "1s")
	defer b.close()
	l := b.login(t, "u", 1, &Resume{})
	b.publish("u", "one", 0)
	b.Drop(h(1), l)
	if hs, pos, o := b.publish("u", "two", 0); len(hs) != 0 || pos != 2 || o != Kept {
		t.Fatalf("to a user just gone: %v, position %d, outcome %v", hs, pos, o)
	}
	b.now += 999
	b.Expire(b.now)
	q := &Resume{Ask: true, Epoch: true, After: 1}
	l = b.login(t, "u", 2, q)
	if len(q.Messages) != 1 || q.Messages[0].Pos != 2 || string(b.msgs.Tail(q.Messages[0].Msg)) != "two" || q.Gap || q.Pos != 2 {
		t.Fatalf("replay = %+v", q)
	}
	b.msgs.Release(q.Messages[0].Msg)
	b.now += 5000
	b.Expire(b.now) // must not touch a user who is back
	if _, pos, o := b.publish("u", "three", 0); pos != 3 || o != Routed {
		t.Fatalf("position %d, outcome %v after coming back", pos, o)
	}
	b.Drop(h(2), l)
}

// A client is told a position before its first message. It must stay good while
// others of the same shard come and go, or each return would be a false gap.
func TestPositionWithoutMessagesStaysGood(t *testing.T) {
	b := newBench(t, 4000, "replay.ttl", "1s")
	defer b.close()
	q := &Resume{}
	l := b.login(t, "u", 1, q)
	told := q.From()
	churn := func() {
		for i := range 4 * shards { // some of them in the shard of u
			name := fmt.Sprint("v", i)
			l := b.login(t, name, uint32(10+i), &Resume{})
			b.Drop(h(uint32(10+i)), l)
		}
		b.now += 1000
		b.Expire(b.now)
	}
	churn()
	b.Drop(h(1), l)
	q = &Resume{Ask: true, Epoch: true, After: told}
	if l = b.login(t, "u", 2, q); q.Gap || q.From() != told {
		t.Fatalf("nothing was published, yet position %d is unknown: %+v", told, q)
	}
	b.Drop(h(2), l)
	b.publish("u", "missed", 0)
	q = &Resume{Ask: true, Epoch: true, After: told}
	l = b.login(t, "u", 3, q)
	if q.Gap || len(q.Messages) != 1 || q.From() != told {
		t.Fatalf("the message published meanwhile is not there: %+v", q)
	}
	b.msgs.Release(q.Messages[0].Msg)
	b.Drop(h(3), l)
	b.now += 1000
	b.Expire(b.now)
	q = &Resume{Ask: true, Epoch: true, After: told}
	if b.login(t, "u", 4, q); !q.Gap {
		t.Fatalf("position %d is known although the ring is gone: %+v", told, q)
	}
}

// A position of a ring that is gone must never look known to a later one: what
// was published between the two is lost, and the client must learn that.
func TestPositionsOfALaterRingAreUnknown(t *testing.T) {
	b := newBench(t, 100, "replay.ttl", "1s")
	defer b.close()
	l := b.login(t, "u", 1, &Resume{})
	for range 3 {
		b.publish("u", "x", 0)
	}
	b.Drop(h(1), l)
	b.now += 1000
	b.Expire(b.now)
	if _, pos, o := b.publish("u", "lost", 0); pos != 0 || o != Absent {
		t.Fatalf("position %d, outcome %v after replay.ttl", pos, o)
	}
	for after := uint32(1); after <= 3; after++ {
		q := &Resume{Ask: true, Epoch: true, After: after}
		l := b.login(t, "u", 2, q)
		if !q.Gap {
			t.Fatalf("position %d of the ring before passes for known: %+v", after, q)
		}
		b.publish("u", "new", 0)
		b.Drop(h(2), l)
		q = &Resume{Ask: true, Epoch: true, After: after}
		l = b.login(t, "u", 2, q)
		if !q.Gap || len(q.Messages) != 1 {
			t.Fatalf("after one more message: %+v", q)
		}
		b.msgs.Release(q.Messages[0].Msg)
		b.Drop(h(2), l)
		b.now += 1000
		b.Expire(b.now)
	}
}

func TestRingsGiveWay(t *testing.T) {
	b := newBench(t, 1000, "replay.bytes_max", "64KiB", "replay.messages_max", "1000")
	defer b.close()
	const users = 20
	for i := range users {
		b.login(t, fmt.Sprint("u", i), uint32(i), &Resume{})
	}
	for i := range 50 * users {
		b.now += 10
		b.publish(fmt.Sprint("u", i%users), fmt.Sprintf("%0200d", i), 0)
		if n := b.Counts().RingBytes; n > 64<<10 {
			t.Fatalf("rings hold %d bytes after %d messages", n, i)
		}
	}
	b.now += 10
	if b.publish("u3", "y", 0); b.Held("u3") == 0 {
		t.Error("the most recently used ring gave way")
	}
	q := &Resume{Ask: true, Epoch: true, After: 10}
	if _, err := b.Login("u0", h(500), 0, q); err != nil || !q.Gap {
		t.Errorf("what gave way is no gap: %+v, %v", q, err)
	}
	for _, e := range q.Messages {
		b.msgs.Release(e.Msg)
	}
}

func TestPositionZeroIsNone(t *testing.T) {
	b := newBench(t, 100)
	defer b.close()
	b.login(t, "u", 1, &Resume{})
	b.publish("u", "x", 0)
	s, tag := b.lookup([]byte("u"))
	_, u := s.find(tag, []byte("u"))
	s.rings[s.users[u].ring].pos = ^uint32(0)
	if _, pos, _ := b.publish("u", "y", 0); pos != 1 || b.Held("u") != 1 {
		t.Fatalf("after the last position came %d with %d held, want 1 with 1", pos, b.Held("u"))
	}
}

func TestNoReplay(t *testing.T) {
	b := newBench(t, 100, "replay.messages_max", "0", "replay.ttl", "0")
	defer b.close()
	l := b.login(t, "u", 1, &Resume{})
	if _, pos, _ := b.publish("u", "x", 0); pos != 1 || b.Held("u") != 0 {
		t.Fatalf("position %d with %d held", pos, b.Held("u"))
	}
	b.Drop(h(1), l)
	if c := b.Counts(); c != (Counts{}) {
		t.Fatalf("left: %+v", c)
	}
}
