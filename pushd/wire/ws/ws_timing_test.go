package ws

import (
	"fmt"
	"strings"
	"testing"

	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/ws/wstest"
)

func BenchmarkHead(b *testing.B) {
	f := &wire.Frame{Seq: 123456, Pos: 4242, Epoch: "k3x9", Tail: make([]byte, 200)}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Codec{}.Head(dst[:0], f)
	}
}

// BenchmarkNext decodes one message whole; the copy of its bytes is in the time.
func BenchmarkNext(b *testing.B) {
	for _, op := range []byte{wstest.Text, wstest.Binary} {
		for _, n := range []int{16, 200, 4096, 1 << 20, 16 << 20} {
			b.Run(fmt.Sprintf("op%d/%dB", op, n), func(b *testing.B) {
				frame := wstest.Frame(true, 0, op, strings.Repeat("x", n))
				in := make([]byte, len(frame))
				var d Decoder
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					copy(in, frame)
					if ev, _, _, err := d.Next(in, 16<<20); ev != End || err != nil {
						b.Fatal(ev, err)
					}
				}
			})
		}
	}
}

// BenchmarkFragments decodes 1 MB cut into frames and reads.
func BenchmarkFragments(b *testing.B) {
	for _, size := range []int{64, 1300, 65536} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			var stream []byte
			op, piece := wstest.Text, strings.Repeat("x", size)
			for n := 0; n < 1<<20; n += size {
				stream, op = append(stream, wstest.Frame(n+size >= 1<<20, 0, op, piece)...), wstest.Continuation
			}
			in := make([]byte, len(stream))
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				copy(in, stream)
				var d Decoder
				for rest := in; len(rest) > 0; {
					_, _, n, err := d.Next(rest[:min(len(rest), wstest.ChopBytes)], 2<<20)
					if err != nil || n == 0 {
						b.Fatal(n, err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}
