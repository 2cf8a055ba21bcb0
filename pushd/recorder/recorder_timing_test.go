package recorder

import (
	"context"
	"testing"
	"time"

	"pushfleet/internal/record"
)

// BenchmarkTake is the cost of one record of everything, of this machine and
// a node without traffic.
func BenchmarkTake(b *testing.B) {
	s := newSampler("/sys/block", func(_ context.Context, f *Figures) { *f = Figures{} })
	s.open("/proc")
	defer s.close()
	var r record.Record
	b.ReportAllocs()
	for b.Loop() {
		s.take(b.Context(), time.Now(), &r)
	}
	b.ReportMetric(float64(len(s.fields)), "fields")
}

// BenchmarkLook is the cost of a look of every 100 ms.
func BenchmarkLook(b *testing.B) {
	s := newSampler("/sys/block", nil)
	var r record.Record
	b.ReportAllocs()
	for b.Loop() {
		s.look(time.Now(), 1, 2, &r)
	}
}

// BenchmarkSource is the cost of each file of the kernel.
func BenchmarkSource(b *testing.B) {
	s := newSampler("/sys/block", nil)
	s.open("/proc")
	defer s.close()
	for _, k := range s.kernel {
		v := make([]int64, len(k.fields))
		b.Run(k.path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.read(&s.buf, v)
			}
		})
	}
}
