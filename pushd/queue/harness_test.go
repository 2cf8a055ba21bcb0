package queue

import (
	"testing"

	"pushfleet/internal/decay"
	"pushfleet/internal/knob"
	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/stats"
)

// fataler is what a testing.T and a rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// bench is a Set with its messages and columns for a few connections.
type bench struct {
	t     fataler
	knobs *knob.Registry
	msgs  *slab.Messages
	cols  *stats.Columns
	set   *Set
}

const slots = 5

func newBench(t fataler, nodesMax int64, set ...string) *bench {
	t.Helper()
	b := &bench{t: t, knobs: knob.NewRegistry()}
	k := NewKnobs(b.knobs)
	for i := 0; i+1 < len(set); i += 2 {
		b.knob(set[i], set[i+1])
	}
	var err error
	if b.msgs, err = slab.NewMessages(64<<20, func() int64 { return 64 << 20 }); err != nil {
		t.Fatal(err)
	}
	b.cols = &stats.Columns{Ident: make([]uint32, slots), Queued: make([]uint32, slots), QBytes: make([]uint32, slots),
		Drops: make([]uint32, slots), RTT: make([]uint32, slots), Win: make([]decay.Windows, slots),
		Keys: make([]decay.Keys, slots), Owner: make([]uint32, slots), WinOf: make([]uint32, slots)}
	if b.set, err = New("test", nodesMax, b.msgs, b.cols, make([]uint32, slots), k); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) knob(name, value string) {
	b.t.Helper()
	if _, err := b.knobs.Set(name, value, "test", ""); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) close() {
	b.t.Helper()
	b.set.Bin().Flush()
	if n := b.msgs.Bytes(); n != 0 {
		b.t.Fatalf("%d bytes of messages left", n)
	}
	if b.set.Messages != 0 || b.set.MessageBytes != 0 || b.set.Nodes() != 0 {
		b.t.Fatalf("left: %d messages, %d bytes, %d nodes", b.set.Messages, b.set.MessageBytes, b.set.Nodes())
	}
	if err := b.set.Close(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.msgs.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// message makes one whose tail tells its length.
func (b *bench) message(n int, meta slab.Meta) slab.Ref {
	b.t.Helper()
	r, tail, ok := b.msgs.New(n, meta)
	if !ok {
		b.t.Fatal("no memory for a message")
	}
	for i := range tail {
		tail[i] = byte(n)
	}
	return r
}

// seqs lists the numbers that wait.
func (b *bench) seqs(q *Q) (list []uint32) {
	for n := b.set.Head(q); n != nil; n = b.set.After(n) {
		list = append(list, n.Seq)
	}
	return list
}

// policy sets the policy of a class.
func (b *bench) policy(c push.Class, p push.Policy) {
	b.t.Helper()
	b.knob("queue."+c.String()+".policy", p.String())
}

func newT(t *testing.T, set ...string) *bench {
	b := newBench(t, 1000, set...)
	t.Cleanup(b.close)
	return b
}
