package ws

import (
	"bytes"
	"testing"
	"unsafe"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire/ws/wstest"
)

func TestDecoderIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Decoder{}); n > 16 {
		t.Errorf("Decoder has %d bytes, want at most 16: it is in every connection's record", n)
	}
}

// TestLimit counts over all fragments and fails on the header, before a byte
// of the payload is there.
func TestLimit(t *testing.T) {
	f := func(limit uint32, want push.CloseReason, frames ...[]byte) {
		t.Helper()
		var d Decoder
		in := bytes.Join(frames, nil)
		got := push.CloseNone
		for got == push.CloseNone {
			ev, _, n, err := d.Next(in, limit)
			if err != nil {
				got = err.Reason
				break
			}
			if in = in[n:]; ev == More {
				break
			}
		}
		if got != want {
			t.Errorf("limit %d: %v, want %v", limit, got, want)
		}
	}
	ten := wstest.Frame(true, 0, wstest.Text, "0123456789")
	head := ten[:2]
	first := wstest.Frame(false, 0, wstest.Text, "01234")
	rest := wstest.Frame(true, 0, wstest.Continuation, "56789")
	f(10, push.CloseNone, ten, ten, ten)
	f(9, push.CloseOversize, ten)
	f(9, push.CloseOversize, head)
	f(10, push.CloseNone, head)
	f(10, push.CloseNone, first, rest, first, rest)
	f(9, push.CloseOversize, first, rest[:2])
	f(0, push.CloseNone, wstest.Frame(true, 0, wstest.Text, ""))
	f(0, push.CloseOversize, wstest.Frame(true, 0, wstest.Text, "x"))
	f(0, push.CloseNone, wstest.Frame(true, 0, wstest.PingOp, "pings have their own limit"))
	f(1<<32-1, push.CloseNone, []byte{0x82, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f(1<<32-1, push.CloseOversize, []byte{0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0})
	f(1<<32-1, push.CloseOversize, wstest.Frame(false, 0, wstest.Binary, "x"), []byte{0x80, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
}

// TestLimitMayShrink is a knob turned down while a message is under way.
func TestLimitMayShrink(t *testing.T) {
	var d Decoder
	if ev, _, _, err := d.Next(wstest.Frame(false, 0, wstest.Text, "01234"), 10); ev != Data || err != nil {
		t.Fatalf("first fragment: %v, %v", ev, err)
	}
	if _, _, _, err := d.Next(wstest.Frame(true, 0, wstest.Continuation, "5"), 3); err == nil || err.Reason != push.CloseOversize {
		t.Errorf("second fragment over the new limit: %v, want oversize", err)
	}
}

// TestNothingAfterTheEnd holds for a Close and for an error.
func TestNothingAfterTheEnd(t *testing.T) {
	f := func(last []byte) {
		t.Helper()
		var d Decoder
		d.Next(last, 100)
		after := wstest.Frame(true, 0, wstest.Text, "late")
		if ev, payload, n, err := d.Next(after, 100); ev != More || payload != nil || n != len(after) || err != nil {
			t.Errorf("after %x: %v %q %d %v, want all ignored", last, ev, payload, n, err)
		}
	}
	f(wstest.Frame(true, 0, wstest.CloseOp, "\x03\xe8bye"))
	f(wstest.Frame(true, 0, 15, ""))
	f(wstest.Frame(true, 0, wstest.Text, "\xff"))
}

// TestPayloadIsInPlace proves that nothing is copied, and that a payload's
// capacity ends with it.
func TestPayloadIsInPlace(t *testing.T) {
	var d Decoder
	in := append(wstest.Frame(true, 0, wstest.Text, "hello"), "next"...)
	ev, payload, n, err := d.Next(in, 100)
	if ev != End || err != nil || n != len(in)-4 || string(payload) != "hello" {
		t.Fatalf("%v %q %d %v", ev, payload, n, err)
	}
	if &payload[0] != &in[n-5] || cap(payload) != 5 {
		t.Error("payload is a copy, or may be grown into the next frame")
	}
}

func TestUnmask(t *testing.T) {
	key := [4]byte{1, 2, 4, 8}
	packed := uint32(1) | 2<<8 | 4<<16 | 8<<24
	for n := range 100 {
		for cut := range n + 1 {
			got := make([]byte, n)
			unmask(got[cut:], unmask(got[:cut], packed))
			for i, b := range got {
				if b != key[i%4] {
					t.Fatalf("%d bytes cut at %d: byte %d is %d, want %d", n, cut, i, b, key[i%4])
				}
			}
		}
	}
}

func TestDecoderAllocatesNothing(t *testing.T) {
	good := bytes.Join([][]byte{
		wstest.Frame(false, 0, wstest.Text, "κόσμ"), wstest.Frame(true, 0, wstest.PingOp, "x"),
		wstest.Frame(true, 0, wstest.Continuation, "ε"), wstest.Frame(true, 0, wstest.Text, "\xff"),
	}, nil)
	in := make([]byte, len(good))
	n := testing.AllocsPerRun(100, func() {
		var d Decoder
		copy(in, good)
		for rest := in; len(rest) > 0; {
			_, _, n, err := d.Next(rest, 100)
			if err != nil {
				break
			}
			rest = rest[n:]
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per stream, want 0", n)
	}
}
