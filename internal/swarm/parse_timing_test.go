package swarm

import (
	"fmt"
	"strings"
	"testing"

	"pushfleet/internal/push"
)

// BenchmarkFeed is the parser's time per 200-byte message, ten of them in one
// read.
func BenchmarkFeed(b *testing.B) {
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		b.Run(p.String(), func(b *testing.B) {
			w, c := offline(p)
			fc := &fakeConn{proto: p}
			var in strings.Builder
			for i := range 10 {
				in.WriteString(fc.encode(fmt.Sprintf(`{"seq":%d,"user":"u-77","data":{"t":123456789012,"p":"%s"}}`,
					i+1, strings.Repeat("x", 150)), false))
			}
			buf := []byte(in.String())
			b.SetBytes(int64(len(buf) / 10))
			b.ReportAllocs()
			for n := 0; n < b.N; n += 10 {
				c.seq = 0
				w.feed(0, c, buf)
			}
			if w.counts.Malformed+w.counts.Lost != 0 {
				b.Fatalf("%+v", w.counts)
			}
		})
	}
}
