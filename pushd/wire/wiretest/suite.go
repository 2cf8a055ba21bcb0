// Package wiretest proves that the transports carry one frame model: what any
// codec encodes, a plain client of that transport reads back as the same JSON
// objects in the same order. Only tests import it.
package wiretest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
)

// Decoder is a client's side of one transport. It reads a whole stream, from
// the response head to the end of the response, and fails the test on anything
// that its transport does not allow.
type Decoder func(t *testing.T, stream []byte) []Event

// Suite runs every property against one codec.
func Suite(t *testing.T, c wire.Codec, decode Decoder) {
	t.Run("lengths", func(t *testing.T) { lengths(t, c, decode) })
	t.Run("random", func(t *testing.T) { random(t, c, decode) })
	t.Run("controls", func(t *testing.T) { controls(t, c, decode) })
	t.Run("closes", func(t *testing.T) { closes(t, c, decode) })
	t.Run("appends", func(t *testing.T) { appends(t, c) })
	t.Run("allocates nothing", func(t *testing.T) { allocations(t, c) })
}

// lengths walks the payload over every place where an encoding of its length
// grows: 125 and 65535 bytes on ws, powers of 16 in a chunk's size.
func lengths(t *testing.T, c wire.Codec, decode Decoder) {
	s := newScript(c)
	for _, around := range []int{16, 125, 256, 4096, 65535, 1 << 20} {
		for size := max(around-60, 1); size <= around+3; size++ {
			if around > 100000 && size%16 != 0 {
				continue
			}
			s.data(&wire.Frame{Seq: uint32(size), Tail: tail(size)})
		}
	}
	s.check(t, decode)
}

// random mixes everything, several streams long.
func random(t *testing.T, c wire.Codec, decode Decoder) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newScript(c)
		for range 200 {
			switch r.IntN(8) {
			case 0:
				s.ping()
			case 1:
				s.control(wire.TypeGap, "", wire.GapSeq(nil, r.Uint32(), r.Uint32(), r.Uint32(), "overflow"))
			default:
				s.data(randomFrame(r))
			}
		}
		s.check(t, decode)
	}
}

func randomFrame(r *rand.Rand) *wire.Frame {
	f := &wire.Frame{Seq: r.Uint32() >> r.IntN(32), Tail: tail(1 + r.IntN(1<<(1+r.IntN(12))))}
	if r.IntN(2) == 0 {
		f.Pos, f.Epoch = 1+r.Uint32N(1<<31)>>r.IntN(31), "zz0919az"[:1+r.IntN(8)]
	}
	return f
}

// controls sends each control frame, with texts that need escapes.
func controls(t *testing.T, c wire.Codec, decode Decoder) {
	s := newScript(c)
	ref := json.RawMessage(`"r\n1"`)
	for _, text := range []string{"", "plain", "two\nlines\r\n", `"quoted\"`, "\x00\x1f\x7f", "é世\u2028", "\xff\xfe"} {
		s.control(wire.TypeHello, "k3x9-7", wire.Hello(nil, text, 25000, "k3x9", "k3x9-7"))
		s.control(wire.TypeGap, "", wire.GapReplay(nil, text, ""))
		s.control(wire.TypeGap, "k3x9-0", wire.GapReplay(nil, text, "k3x9-0"))
		s.control(wire.TypeError, "", wire.Err(nil, ref, "bad_json", text))
	}
	s.control(wire.TypeGap, "", wire.GapSeq(nil, 5, 9, 5, "overflow"))
	s.control(wire.TypeDrain, "", wire.DrainMsg(nil, 1200))
	s.control(wire.TypeOK, "", wire.OK(nil, ref))
	s.control(wire.TypePong, "", wire.Pong(nil, nil))
	s.check(t, decode)
}

func closes(t *testing.T, c wire.Codec, decode Decoder) {
	for r := push.CloseNone; r < push.CloseReasonCount; r++ {
		s := newScript(c)
		s.ping()
		s.close = r
		s.check(t, decode)
	}
}

// appends proves that a codec leaves alone what stands in dst, with and
// without room behind it.
func appends(t *testing.T, c wire.Codec) {
	const before = "what was there"
	f := &wire.Frame{Seq: 1, Pos: 2, Epoch: "a", Tail: tail(200)}
	methods := map[string]func([]byte) []byte{
		"Hello":   func(b []byte) []byte { return c.Hello(b, request()) },
		"Head":    func(b []byte) []byte { b, _ = c.Head(b, f); return b },
		"Control": func(b []byte) []byte { return c.Control(b, wire.TypeOK, "a-2", wire.OK(nil, nil)) },
		"Ping":    c.Ping,
		"Close":   func(b []byte) []byte { return c.Close(b, push.CloseDrain) },
	}
	for name, method := range methods {
		want := before + string(method(nil))
		for _, room := range []int{0, 4096} {
			dst := append(make([]byte, 0, len(before)+room), before...)
			if got := string(method(dst)); got != want {
				t.Errorf("%s with %d bytes of room = %q, want %q", name, room, got, want)
			}
		}
	}
	longest := &wire.Frame{Seq: 1<<32 - 1, Pos: 1<<32 - 1, Epoch: strings.Repeat("z", wire.EpochMax), Tail: make([]byte, 1<<24)}
	head, foot := c.Head(nil, longest)
	if len(head) > wire.HeadMax || len(foot) > 4 {
		t.Errorf("head of %d and foot of %d bytes, want at most %d and 4", len(head), len(foot), wire.HeadMax)
	}
}

func allocations(t *testing.T, c wire.Codec) {
	dst := make([]byte, 0, 1024)
	f := &wire.Frame{Seq: 123456, Pos: 42, Epoch: "k3x9", Tail: tail(200)}
	json := wire.Hello(nil, "3.1f20.2", 25000, "k3x9", "k3x9-41")
	run := map[string]func(){
		"Head":    func() { c.Head(dst, f) },
		"Ping":    func() { c.Ping(dst) },
		"Control": func() { c.Control(dst, wire.TypeHello, "k3x9-41", json) },
		"Close":   func() { c.Close(dst, push.CloseSlow) },
	}
	for name, f := range run {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}

// tail is a message's shared part of at least 10 and about n bytes.
func tail(n int) []byte {
	return fmt.Appendf(nil, `"data":"%s"}`, strings.Repeat("é", max(n-10, 0)/2)+strings.Repeat("x", max(n-10, 0)%2))
}
