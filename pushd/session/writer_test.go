package session

import (
	"bytes"
	"testing"
	"unsafe"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
)

// gathered is what writev would write.
func (w *writer) gathered() (all []byte) {
	w.cut()
	for _, v := range w.iov {
		all = append(all, unsafe.Slice(v.Base, v.Len)...)
	}
	return all
}

// A frame may be taken up again behind any of its bytes.
func TestWriterTakesUpAFrameAnywhere(t *testing.T) {
	var w writer
	w.init()
	f := func(p push.Proto, size, step int) {
		t.Helper()
		one := wire.Frame{Seq: 1000000, Pos: 77, Epoch: "epoch", Tail: bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]}
		two := wire.Frame{Seq: 1000001, Tail: []byte("second")}
		encode := func(f *wire.Frame) []byte {
			head, foot := codecs[p].Head(nil, f)
			return append(append(head, f.Tail...), foot...)
		}
		first, second := encode(&one), encode(&two)
		for skip := 0; skip < len(first); skip += step {
			w.reset()
			w.frame(codecs[p], &one, skip)
			w.add([]byte("control"))
			w.frame(codecs[p], &two, 0)
			want := string(first[skip:]) + "control" + string(second)
			if got := w.gathered(); string(got) != want || w.total != len(want) {
				t.Fatalf("%s of %d bytes from %d: %.80q (total %d), want %.80q", p, size, skip, got, w.total, want)
			}
			if len(w.frames) != 2 || w.frames[0] != len(first) || w.tails[0] != size || w.frames[1] != len(second) {
				t.Fatalf("%s of %d bytes from %d: lengths %v, %v", p, size, skip, w.frames, w.tails)
			}
		}
	}
	for _, p := range protos {
		for _, size := range []int{0, 1, 100, copyMax - 1, copyMax, copyMax + 1, 3 * copyMax} {
			f(p, size, 1)
		}
		f(p, 200<<10, 977)
	}
}

// What points into the buffer must not be left behind when it grows.
func TestWriterBufferNeverGrows(t *testing.T) {
	var w writer
	w.init()
	at := unsafe.SliceData(w.buf)
	for _, p := range protos {
		for _, size := range []int{0, copyMax - 50, copyMax, copyMax + 1} {
			w.reset()
			f := wire.Frame{Seq: 1<<32 - 1, Pos: 1<<32 - 1, Epoch: "0123456789abcdef", Tail: make([]byte, size)}
			w.add(make([]byte, copyMax))
			for !w.full() {
				w.frame(codecs[p], &f, 0)
			}
			w.cut()
			if unsafe.SliceData(w.buf) != at {
				t.Fatalf("%s with tails of %d bytes: the buffer grew to %d", p, size, cap(w.buf))
			}
		}
	}
}
