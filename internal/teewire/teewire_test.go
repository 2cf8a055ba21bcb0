package teewire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/push"
)

// sample is a stream with a record of each kind, from two sources.
func sample() []byte {
	out := []byte(Magic)
	var b Batch
	b.Head(&Head{Version: Version, Node: "gw-1", Build: "0.1.0", Wall: time.Unix(1, 5), Mono: 1000, Sample: 5.25, Redact: RedactNames})
	out = append(out, b.Seal()...)
	b.Reset()
	b.Source = 3
	b.Open(&Open{At: 2000, Conn: 1<<63 + 7, Proto: push.ProtoWS, Users: []string{"u-1", "u-2"}, Groups: []string{"g"}, Resume: true,
		Joined: true, Blocked: true, Poll: time.Second, Age: time.Hour, RTT: time.Millisecond, Queued: 12})
	b.In(1990, 7, []byte(`{"type":"ping"}`))
	b.Out(&Out{At: 3000, Conn: 7, Frames: 2, Bytes: 512, Queued: 3, Blocked: true})
	b.Publish(&Message{At: 3100, User: []byte("u-1"), ID: []byte("i"), Key: []byte("k"), Class: byte(push.ClassCount - 1), TTL: time.Minute, Data: []byte(`"x"`)})
	b.Close(&Close{At: 3200, Conn: 7, Reason: push.CloseSlow})
	b.Torn(&Torn{At: 3300, User: "u-9", Why: DropBuffer})
	c := Count{At: 3400, Sample: 2.5, Torn: 1, Bytes: 99}
	c.Seen[KindOut], c.Sent[KindOut], c.Dropped[KindOut][DropRate] = 5, 3, 2
	b.Count(&c)
	b.End(&End{At: 3500, Reason: "stopped", Detail: "by knob"})
	return append(out, b.Seal()...)
}

func TestRoundTrip(t *testing.T) {
	r := NewReader(NewStream(bytes.NewReader(sample())))
	var got []any
	for {
		k, at, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		in, pub := r.In, r.Publish
		in.Data, pub.Data = bytes.Clone(in.Data), bytes.Clone(pub.Data)
		rec := [KindLimit]any{nil, r.Head, r.Open, in, r.Out, pub, r.Close, r.Torn, r.Count, r.End}[k]
		got = append(got, k.String(), at, rec)
	}
	c := Count{At: 3400, Sample: 2.5, Torn: 1, Bytes: 99}
	c.Seen[KindOut], c.Sent[KindOut], c.Dropped[KindOut][DropRate] = 5, 3, 2
	want := []any{
		"head", int64(1000), Head{Version: Version, Node: "gw-1", Build: "0.1.0", Wall: time.Unix(1, 5), Mono: 1000, Sample: 5.25, Redact: RedactNames},
		"open", int64(2000), Open{At: 2000, Conn: 1<<63 + 7, Proto: push.ProtoWS, Users: []string{"u-1", "u-2"}, Groups: []string{"g"}, Resume: true,
			Joined: true, Blocked: true, Poll: time.Second, Age: time.Hour, RTT: time.Millisecond, Queued: 12},
		"in", int64(1990), In{At: 1990, Conn: 7, Data: []byte(`{"type":"ping"}`)},
		"out", int64(3000), Out{At: 3000, Conn: 7, Frames: 2, Bytes: 512, Queued: 3, Blocked: true},
		"publish", int64(3100), Publish{At: 3100, User: "u-1", ID: "i", Key: "k", Class: push.ClassCount - 1, TTL: time.Minute, Data: []byte(`"x"`)},
		"close", int64(3200), Close{At: 3200, Conn: 7, Reason: push.CloseSlow},
		"torn", int64(3300), Torn{At: 3300, User: "u-9", Why: DropBuffer},
		"count", int64(3400), c,
		"end", int64(3500), End{At: 3500, Reason: "stopped", Detail: "by knob"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A stream that is cut off anywhere, or has a flipped bit, is told as such and
// never read as something else.
func TestDamage(t *testing.T) {
	whole := sample()
	read := func(b []byte) error {
		r := NewReader(NewStream(bytes.NewReader(b)))
		for {
			if _, _, err := r.Next(); err != nil {
				return err
			}
		}
	}
	first := len(Magic) + HeadBytes + int(whole[len(Magic)]) // behind the batch with the head
	for n := range whole {
		err := read(whole[:n])
		if between := n == 0 || n == len(Magic) || n == first; between != (err == io.EOF) {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
		flipped := bytes.Clone(whole)
		flipped[n] ^= 4
		if err := read(flipped); err == io.EOF {
			t.Errorf("bit flipped at %d: not noticed", n)
		}
	}
}

func TestBounds(t *testing.T) {
	b := []byte(Magic)
	b = append(b, 0xff, 0xff, 0xff, 0x7f)
	b = append(b, make([]byte, HeadBytes)...)
	if _, _, err := NewReader(NewStream(bytes.NewReader(b))).Next(); !errors.Is(err, ErrFormat) {
		t.Errorf("a batch of 2 GB: %v", err)
	}
}

func TestAppendingAllocatesNothing(t *testing.T) {
	var b Batch
	data := bytes.Repeat([]byte("x"), 200)
	f := func() {
		b.Reset()
		for i := range 100 {
			b.Out(&Out{At: int64(i), Conn: 7, Frames: 1, Bytes: 200})
			b.In(int64(i), 7, data)
		}
		b.Seal()
	}
	f()
	if n := testing.AllocsPerRun(20, f); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sample())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(NewStream(bytes.NewReader(b)))
		for range 10_000 {
			if _, _, err := r.Next(); err != nil {
				return
			}
		}
	})
}

// FuzzRecords passes the sum, which the fuzzer would hardly guess.
func FuzzRecords(f *testing.F) {
	whole := sample()
	f.Add(whole[len(Magic)+HeadBytes+int(whole[len(Magic)])+HeadBytes:], uint32(8))
	f.Fuzz(func(t *testing.T, records []byte, n uint32) {
		b := Batch{buf: append(make([]byte, HeadBytes), records...), n: n}
		if n == 0 || len(records) > BatchMax {
			return
		}
		r := NewReader(NewStream(io.MultiReader(bytes.NewReader([]byte(Magic)), bytes.NewReader(b.Seal()))))
		for {
			k, _, err := r.Next()
			if err != nil {
				if err != io.EOF && !errors.Is(err, ErrFormat) {
					t.Fatal(err)
				}
				return
			}
			if k == KindOpen && len(r.Open.Users) == 0 {
				t.Fatal("a connection of nobody")
			}
		}
	})
}
