package sse

import (
	"testing"

	"pushfleet/pushd/wire"
)

func BenchmarkHead(b *testing.B) {
	f := &wire.Frame{Seq: 123456, Pos: 4242, Epoch: "k3x9", Tail: make([]byte, 200)}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Codec{}.Head(dst[:0], f)
	}
}
